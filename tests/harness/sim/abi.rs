//! The imports of a module: from pointers in the guest's memory to the host and back.
//!
//! Signatures: proxy-wasm ABI 0.2.1, and the two WASI functions that Weir's modules use.

use wasmi::{Caller, Error, Extern, Memory, TypedFunc};

mod imports;

use super::cost::Spent;
use super::host::Host;
use super::status::{Fault, Status};

pub(crate) use imports::link;

/// Host calls that a module may make while it initialises; any other traps.
const UNRESTRICTED: [&str; 5] = [
    "proxy_log",
    "proxy_get_log_level",
    "proxy_get_current_time_nanoseconds",
    "random_get",
    "clock_time_get",
];

/// One host call: the guest's memory, the host, and the bill.
struct Guest<'a> {
    caller: Caller<'a, Host>,
    memory: Memory,
    spent: Spent,
}

type Answered = Result<(), Fault>;

impl Guest<'_> {
    fn host(&mut self) -> &mut Host {
        self.caller.data_mut()
    }

    fn read(&mut self, pointer: i32, size: i32) -> Result<Vec<u8>, Fault> {
        let (start, size) = (index(pointer), index(size));
        let bytes = self.memory.data(&self.caller).get(start..start.saturating_add(size));
        let bytes = bytes.ok_or(Status::InvalidMemoryAccess)?.to_vec();
        self.spent.taken += bytes.len();
        Ok(bytes)
    }

    fn write(&mut self, pointer: i32, bytes: &[u8]) -> Answered {
        let place = index(pointer);
        self.memory
            .write(&mut self.caller, place, bytes)
            .map_err(|_| Status::InvalidMemoryAccess.into())
    }

    fn write_u32(&mut self, pointer: i32, number: u32) -> Answered {
        self.write(pointer, &number.to_le_bytes())
    }

    fn write_u64(&mut self, pointer: i32, number: u64) -> Answered {
        self.write(pointer, &number.to_le_bytes())
    }

    /// Hands bytes over: allocates them in the guest, unless there are none.
    fn give(&mut self, bytes: &[u8], pointer_to: i32, size_to: i32) -> Answered {
        let size = u32::try_from(bytes.len()).map_err(|_| Status::InternalFailure)?;
        let mut place = 0;
        if size > 0 {
            self.spent.returned = Some(bytes.len());
            let allocate = self.allocator()?;
            place = allocate.call(&mut self.caller, size.cast_signed())?;
            if place == 0 {
                return Err(Status::InvalidMemoryAccess.into());
            }
            self.write(place, bytes)?;
        }
        self.write_u32(pointer_to, place.cast_unsigned())?;
        self.write_u32(size_to, size)
    }

    fn allocator(&mut self) -> Result<TypedFunc<i32, i32>, Fault> {
        let named = |name| self.caller.get_export(name).and_then(Extern::into_func);
        let found = named("malloc").or_else(|| named("proxy_on_memory_allocate"));
        let found = found.ok_or_else(|| Error::new("the module exports no allocator"))?;
        Ok(found.typed(&self.caller)?)
    }
}

/// Runs one host call: refuses it while initialising, keeps the bill, turns the result into a number.
fn serve(
    caller: Caller<'_, Host>,
    function: &'static str,
    act: impl FnOnce(&mut Guest<'_>) -> Answered,
) -> Result<i32, Error> {
    if caller.data().restricted && !UNRESTRICTED.contains(&function) {
        return Err(Error::new(format!("restricted_callback: {function} during initialisation")));
    }
    let memory = caller.get_export("memory").and_then(Extern::into_memory);
    let memory = memory.ok_or_else(|| Error::new("the module exports no memory"))?;
    let mut guest = Guest { caller, memory, spent: Spent { function, returned: None, taken: 0 } };
    let result = act(&mut guest);
    let spent = guest.spent;
    guest.host().cost.charge(spent);
    match result {
        Ok(()) => Ok(Status::Ok as i32),
        Err(Fault::Refused(status)) => Ok(status as i32),
        Err(Fault::Errno(number)) => Ok(number),
        Err(Fault::Trap(error)) => Err(error),
    }
}

fn index(number: i32) -> usize {
    usize::try_from(number.cast_unsigned()).unwrap_or(usize::MAX)
}
