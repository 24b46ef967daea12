//! A filter as Envoy deploys it: a canary that tries the configuration, the main thread, the workers.

use super::module::Module;
use super::vm::{Refusal, Vm};
use super::world::World;

/// The `vm_id` under which Weir's HTTP filters share their data.
pub const VM_ID: &str = "weir";

/// The VMs of one filter.
pub struct Fleet {
    /// The world that they live in.
    pub world: World,
    /// The main thread's VM: ticks and queues, no traffic.
    pub main: Vm,
    /// One VM per worker.
    pub workers: Vec<Vm>,
    module: Module,
}

impl Fleet {
    /// Starts `workers` workers in `world`, after a canary and the main thread took the configuration.
    ///
    /// # Errors
    /// What the canary logged when it refused: Envoy would not start.
    pub fn start(
        world: &World,
        module: &Module,
        workers: usize,
        configuration: impl AsRef<[u8]>,
    ) -> Result<Self, Refusal> {
        let configuration = configuration.as_ref();
        Vm::new(world, module, VM_ID).configure(configuration)?;
        let main = Vm::new(world, module, VM_ID);
        main.configure(configuration)?;
        let workers = (0..workers)
            .map(|_| {
                let worker = Vm::new(world, module, VM_ID);
                worker.configure(configuration).map(|()| worker)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { world: world.clone(), main, workers, module: module.clone() })
    }

    /// Replaces the configuration on all VMs, as a dynamic update does.
    ///
    /// # Errors
    /// What the canary logged when it refused: no other VM hears of it.
    pub fn update(&self, configuration: impl AsRef<[u8]>) -> Result<(), Refusal> {
        let configuration = configuration.as_ref();
        Vm::new(&self.world, &self.module, VM_ID).configure(configuration)?;
        self.main.configure(configuration)?;
        self.workers.iter().try_for_each(|worker| worker.configure(configuration))
    }

    /// Worker number `turn`, round robin.
    #[must_use]
    pub fn worker(&self, turn: usize) -> &Vm {
        let place = turn % self.workers.len().max(1);
        self.workers.get(place).expect("a fleet has a worker")
    }
}
