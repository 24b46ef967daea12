//! One VM: an instance of a module with its root contexts, and the way in.

use std::cell::{Ref, RefCell, RefMut};
use std::collections::BTreeMap;
use std::rc::Rc;

use wasmi::{Func, Linker, Memory, Store, Val};

use super::abi;
use super::cost::Cost;
use super::exchange::Exchange;
use super::host::{Host, Root};
use super::module::Module;
use super::outcome::{LogLine, Trap};
use super::request::Request;
use super::stream::Stream;
use super::world::World;

/// Fuel that one callback may burn before it counts as an endless loop and traps: about a second natively.
const FUEL_LIMIT: u64 = 1_000_000_000;

/// A VM in a world: what one worker runs. It is a handle: clones mean the same VM.
#[derive(Clone)]
pub struct Vm(Rc<RefCell<VmState>>);

/// The lines that a module logged when it refused its configuration.
pub type Refusal = Vec<LogLine>;

pub(crate) struct VmState {
    module: Module,
    pub(crate) store: Store<Host>,
    memory: Memory,
    callbacks: BTreeMap<String, Func>,
    next_context: u32,
    /// The root context of the newest configuration.
    root: u32,
    pub(crate) trap: Option<Trap>,
}

impl Vm {
    /// Instantiates `module` in `world`, under the given `vm_id`, and initialises it.
    ///
    /// # Panics
    /// When Envoy would refuse to load the module: see [`Vm::load`].
    #[must_use]
    pub fn new(world: &World, module: &Module, vm_id: &str) -> Self {
        Self::load(world, module, vm_id).unwrap_or_else(|problem| panic!("{problem}"))
    }

    /// The same, for modules that may be refused.
    ///
    /// # Errors
    /// Why, when the module asks for an import that Envoy does not provide, or traps while it initialises.
    pub fn load(world: &World, module: &Module, vm_id: &str) -> Result<Self, String> {
        let host = Host::new(world.clone(), world.places(), vm_id);
        let vm = VmState::instantiate(module, host);
        let vm = vm.map_err(|problem| format!("{}: {problem}", module.name()))?;
        let vm = Rc::new(RefCell::new(vm));
        world.enter(&vm);
        Ok(Self(vm))
    }

    /// Gives the VM a configuration: makes a root context, which new streams belong to from here on.
    /// One that an older root context still lives with is that one's again, and the guest hears nothing of it.
    ///
    /// # Errors
    /// The log lines of a module that refused; the previous configuration stays in force.
    pub fn configure(&self, configuration: impl AsRef<[u8]>) -> Result<(), Refusal> {
        let done = self.state().configure(configuration.as_ref());
        if done { Ok(()) } else { Err(self.take_logs()) }
    }

    /// Starts a stream.
    #[must_use]
    pub fn request(&self, request: Request) -> Stream {
        Stream::new(self.0.clone(), request)
    }

    /// Replaces a trapped VM by a fresh one with the same configuration, as `FAIL_RELOAD` does.
    /// Shared data, queues and metrics stay; what was in the VM is lost, and its streams with it.
    ///
    /// # Errors
    /// The log lines of a module that refused its configuration now.
    pub fn reload(&self) -> Result<(), Refusal> {
        let configuration = self.state().reload();
        self.configure(configuration)
    }

    /// The trap that ended this VM, if one did.
    #[must_use]
    pub fn trap(&self) -> Option<Trap> {
        self.view().trap.clone()
    }

    /// Lines logged outside of streams since the last call, and in no stream's outcome.
    #[must_use]
    pub fn take_logs(&self) -> Vec<LogLine> {
        std::mem::take(&mut self.state().store.data_mut().logs)
    }

    /// The bill of all callbacks outside of streams since the last call: start, configuration, ticks, answers.
    #[must_use]
    pub fn take_cost(&self) -> Cost {
        std::mem::take(&mut self.state().store.data_mut().cost)
    }

    /// Pages of 64 KiB that the guest's memory has now.
    #[must_use]
    pub fn pages(&self) -> u64 {
        self.view().pages()
    }

    /// How many root contexts live: 2 while streams of an older configuration go on.
    #[must_use]
    pub fn roots(&self) -> usize {
        self.view().store.data().roots.len()
    }

    fn state(&self) -> RefMut<'_, VmState> {
        self.0.borrow_mut()
    }

    fn view(&self) -> Ref<'_, VmState> {
        self.0.borrow()
    }
}

impl VmState {
    fn instantiate(module: &Module, mut host: Host) -> Result<Self, String> {
        host.restricted = true;
        let mut linker = Linker::new(module.compiled().engine());
        abi::link(&mut linker).expect("each import is declared once");
        let mut store = Store::new(module.compiled().engine(), host);
        store.set_fuel(FUEL_LIMIT).expect("fuel metering is on");
        let instance = linker.instantiate_and_start(&mut store, module.compiled());
        let instance = instance.map_err(|error| error.to_string())?;
        let memory = instance.get_memory(&store, "memory").expect("a module exports its memory");
        let callbacks = instance
            .exports(&store)
            .filter_map(|export| Some((export.name().to_owned(), export.into_func()?)))
            .collect();
        let mut vm = Self {
            module: module.clone(),
            store,
            memory,
            callbacks,
            next_context: 1,
            root: 0,
            trap: None,
        };
        for start in ["_initialize", "_start"] {
            vm.enter(start, 0, &[]).map_err(|trap| trap.message)?;
        }
        vm.host().restricted = false;
        Ok(vm)
    }

    /// Calls an exported function on behalf of a context.
    ///
    /// Returns `None` when the module does not export it, which Envoy treats as "done, go on".
    ///
    /// # Errors
    /// The trap that ended the VM, now or earlier.
    pub(crate) fn enter(
        &mut self,
        callback: &'static str,
        context: u32,
        args: &[u32],
    ) -> Result<Option<i32>, Trap> {
        if let Some(trap) = &self.trap {
            return Err(trap.clone());
        }
        let Some(function) = self.callbacks.get(callback).copied() else { return Ok(None) };
        let host = self.store.data_mut();
        (host.current, host.effective) = (context, 0);
        let (outer_cost, outer_logs) =
            (std::mem::take(&mut host.cost), std::mem::take(&mut host.logs));
        self.store.set_fuel(FUEL_LIMIT).expect("fuel metering is on");
        let args: Vec<Val> = args.iter().map(|arg| Val::I32(arg.cast_signed())).collect();
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        let called = function.call(&mut self.store, &args, &mut results);
        let left = self.store.get_fuel().expect("fuel metering is on");
        let pages = self.pages();
        let host = self.store.data_mut();
        let mut cost = std::mem::replace(&mut host.cost, outer_cost);
        let logs = std::mem::replace(&mut host.logs, outer_logs);
        cost.fuel = FUEL_LIMIT - left;
        cost.callbacks = 1;
        cost.pages = pages;
        let last_words =
            logs.iter().rev().find(|line| line.level == 5).map(|line| line.text.clone());
        match host.streams.get_mut(&context) {
            Some(stream) => {
                stream.cost.add(&cost);
                stream.logs.extend(logs);
            }
            None => {
                host.cost.add(&cost);
                host.logs.extend(logs);
            }
        }
        match called {
            Ok(()) => Ok(results.first().and_then(Val::i32)),
            Err(error) => {
                let message = match last_words {
                    Some(words) => format!("{error}: {words}"),
                    None => error.to_string(),
                };
                let trap = Trap { callback, message };
                self.trap = Some(trap.clone());
                Err(trap)
            }
        }
    }

    fn configure(&mut self, configuration: &[u8]) -> bool {
        let is_same = |root: &Root| root.retired && root.configuration == configuration;
        let living = self.host().roots.iter().find(|(_, root)| is_same(root)).map(|(id, _)| *id);
        if let Some(root) = living {
            self.replace_root(root);
            return true;
        }
        let root = self.claim_context();
        let size = u32::try_from(configuration.len()).unwrap_or(u32::MAX);
        let context = Root {
            configuration: configuration.to_vec(),
            tick_period: 0,
            next_tick: None,
            retired: false,
        };
        self.host().roots.insert(root, context);
        let accepted = self.enter("proxy_on_context_create", root, &[root, 0]).is_ok()
            && self
                .enter("proxy_on_vm_start", root, &[root, 0])
                .is_ok_and(|result| result != Some(0))
            && self.enter_configure(root, size);
        if !accepted {
            self.host().roots.remove(&root);
            return false;
        }
        self.replace_root(root);
        true
    }

    /// New streams belong to this root context from here on.
    fn replace_root(&mut self, root: u32) {
        let previous = std::mem::replace(&mut self.root, root);
        let roots = &mut self.host().roots;
        if let Some(previous) = roots.get_mut(&previous) {
            previous.retired = true;
        }
        if let Some(root) = roots.get_mut(&root) {
            root.retired = false;
        }
        self.settle();
        self.bury_retired_roots();
    }

    fn enter_configure(&mut self, root: u32, size: u32) -> bool {
        self.host().configuring = true;
        let result = self.enter("proxy_on_configure", root, &[root, size]);
        self.host().configuring = false;
        result.is_ok_and(|result| result != Some(0))
    }

    /// Starts over with a fresh instance; the old streams stay behind as lost ones.
    fn reload(&mut self) -> Vec<u8> {
        let old = self.store.data_mut();
        let configuration =
            old.roots.get(&self.root).map(|root| root.configuration.clone()).unwrap_or_default();
        let mut host = Host::new(old.world.clone(), old.place, &old.vm_id);
        host.streams = std::mem::take(&mut old.streams);
        for stream in host.streams.values_mut() {
            stream.lost = true;
        }
        let next_stream = self.next_context;
        let fresh = Self::instantiate(&self.module, host);
        let mut fresh = fresh.expect("the module loaded before");
        fresh.next_context = next_stream;
        *self = fresh;
        configuration
    }

    /// Makes the host's side of a stream; the guest hears of it with the first callback.
    pub(crate) fn open(&mut self, request: &Request) -> u32 {
        let (id, root) = (self.claim_context(), self.root);
        let now = self.host().world.now();
        self.host().streams.insert(id, Exchange::new(root, request, now));
        id
    }

    /// Ends the contexts of older configurations whose last stream is gone.
    pub(crate) fn bury_retired_roots(&mut self) {
        let host = self.host();
        let used: Vec<u32> = host.streams.values().map(|stream| stream.root).collect();
        let over: Vec<u32> = host
            .roots
            .iter()
            .filter(|(id, root)| root.retired && !used.contains(id))
            .map(|(id, _)| *id)
            .collect();
        for root in over {
            let ended = self
                .enter("proxy_on_done", root, &[root])
                .and_then(|_| self.enter("proxy_on_delete", root, &[root]));
            debug_assert!(ended.is_ok() || self.trap.is_some(), "an error is a trap");
            self.host().roots.remove(&root);
            self.host().calls.retain(|call| call.root != root);
        }
    }

    pub(crate) fn pages(&self) -> u64 {
        self.memory.size(&self.store)
    }

    pub(crate) fn host(&mut self) -> &mut Host {
        self.store.data_mut()
    }

    fn claim_context(&mut self) -> u32 {
        let id = self.next_context;
        self.next_context += 1;
        id
    }
}
