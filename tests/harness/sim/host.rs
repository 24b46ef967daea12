//! The host side of one VM: contexts, and what each host call does with them.
//!
//! Only meaning lives here; the way through the guest's memory is in `abi`.

use std::collections::BTreeMap;

use super::clusters::{Answer, Call, CallResponse, Cluster, Pending};
use super::conflicts::Before;
use super::cost::Cost;
use super::exchange::{Exchange, Phase, splice};
use super::headers::Headers;
use super::metrics::{Kind, Name};
use super::outcome::{LocalReply, LogLine};
use super::properties;
use super::queues::Registrant;
use super::status::Status;
use super::world::World;

/// A root context: one configuration of the filter in this VM.
pub(crate) struct Root {
    pub(crate) configuration: Vec<u8>,
    /// Milliseconds between ticks; 0 is off.
    pub(crate) tick_period: u32,
    pub(crate) next_tick: Option<u64>,
    /// A newer configuration took over; the context lives until its last stream ends.
    pub(crate) retired: bool,
}

/// Everything that a VM's host calls can reach.
pub(crate) struct Host {
    pub(crate) world: World,
    pub(crate) place: usize,
    pub(crate) vm_id: String,
    /// The module is initialising: most host calls trap.
    pub(crate) restricted: bool,
    pub(crate) current: u32,
    pub(crate) effective: u32,
    pub(crate) roots: BTreeMap<u32, Root>,
    pub(crate) streams: BTreeMap<u32, Exchange>,
    pub(crate) metric_ids: Vec<Name>,
    pub(crate) configuring: bool,
    pub(crate) answer: Option<CallResponse>,
    pub(crate) calls: Vec<Pending>,
    pub(crate) last_token: u32,
    pub(crate) stopped: bool,
    pub(crate) resumed: Vec<(u32, bool)>,
    pub(crate) logs: Vec<LogLine>,
    pub(crate) cost: Cost,
}

impl Host {
    pub(crate) fn new(world: World, place: usize, vm_id: &str) -> Self {
        Self {
            world,
            place,
            vm_id: vm_id.to_owned(),
            restricted: false,
            current: 0,
            effective: 0,
            roots: BTreeMap::new(),
            streams: BTreeMap::new(),
            metric_ids: Vec::new(),
            configuring: false,
            answer: None,
            calls: Vec::new(),
            last_token: 0,
            stopped: false,
            resumed: Vec::new(),
            logs: Vec::new(),
            cost: Cost::default(),
        }
    }

    /// The context that host calls act on.
    fn context(&self) -> u32 {
        if self.effective == 0 { self.current } else { self.effective }
    }

    /// The root context that the acting context belongs to.
    fn root(&self) -> u32 {
        let context = self.context();
        self.streams.get(&context).map_or(context, |stream| stream.root)
    }

    fn stream(&self) -> Option<&Exchange> {
        self.streams.get(&self.context())
    }

    fn stream_mut(&mut self) -> Option<&mut Exchange> {
        let context = self.context();
        self.streams.get_mut(&context)
    }

    // Logging and time.

    pub(crate) fn log(&mut self, level: i32, text: &[u8]) -> Result<(), Status> {
        if !(0..=5).contains(&level) {
            return Err(Status::BadArgument);
        }
        if level >= self.world.state().log_level {
            let text = String::from_utf8_lossy(text).into_owned();
            self.logs.push(LogLine { level, text });
        }
        Ok(())
    }

    pub(crate) fn set_tick_period(&mut self, milliseconds: u32) {
        let due = self.world.now() + u64::from(milliseconds) * 1_000_000;
        let root = self.root();
        if let Some(root) = self.roots.get_mut(&root) {
            root.tick_period = milliseconds;
            root.next_tick = (milliseconds > 0).then_some(due);
        }
    }

    // Header maps and buffers.

    pub(crate) fn map(&self, map: i32) -> Result<Headers, Status> {
        match (map, &self.answer) {
            (6, Some(answer)) => Ok(answer.headers.clone()),
            (7, Some(answer)) => Ok(answer.trailers.clone()),
            (0..=3, _) => self.stream().ok_or(Status::BadArgument)?.map(map).cloned(),
            _ => Err(Status::BadArgument),
        }
    }

    /// One header; in the access log a map that does not exist gives an empty value, as in Envoy.
    pub(crate) fn header(&self, map: i32, name: &[u8]) -> Result<Vec<u8>, Status> {
        let name = name.to_ascii_lowercase();
        let find = |headers: &Headers| headers.get(&name).map(<[u8]>::to_vec);
        let found = match (map, &self.answer) {
            (6, Some(answer)) => find(&answer.headers),
            (7, Some(answer)) => find(&answer.trailers),
            (0..=3, _) => find(self.stream().ok_or(Status::BadArgument)?.map(map)?),
            _ => return Err(Status::BadArgument),
        };
        found.ok_or(Status::NotFound)
    }

    pub(crate) fn map_mut(&mut self, map: i32) -> Result<&mut Headers, Status> {
        match map {
            0..=3 => self.stream_mut().ok_or(Status::BadArgument)?.map_mut(map),
            _ => Err(Status::BadArgument),
        }
    }

    pub(crate) fn buffer(&self, buffer: i32) -> Result<Vec<u8>, Status> {
        match buffer {
            0 | 1 => {
                let stream = self.stream().ok_or(Status::NotFound)?;
                let side = if buffer == 0 { &stream.request } else { &stream.response };
                Ok(if side.buffer_open { side.buffer.clone() } else { Vec::new() })
            }
            4 => self.answer.as_ref().map(|answer| answer.body.clone()).ok_or(Status::NotFound),
            6 => Ok(Vec::new()),
            7 if self.configuring => {
                let root = self.roots.get(&self.context()).ok_or(Status::NotFound)?;
                Ok(root.configuration.clone())
            }
            _ => Err(Status::NotFound),
        }
    }

    pub(crate) fn set_buffer(
        &mut self,
        buffer: i32,
        start: usize,
        size: usize,
        new: &[u8],
    ) -> Result<(), Status> {
        let stream = self.stream_mut().ok_or(Status::NotFound)?;
        let side = match buffer {
            0 => &mut stream.request,
            1 => &mut stream.response,
            _ => return Err(Status::BadArgument),
        };
        if side.buffer_open {
            splice(&mut side.buffer, start, size, new)
        } else {
            Err(Status::BadArgument)
        }
    }

    // Properties.

    pub(crate) fn property(&self, path: &[u8]) -> Result<Vec<u8>, Status> {
        let path: Vec<&[u8]> = path.split(|byte| *byte == 0).collect();
        match path.as_slice() {
            [b"plugin_name"] => Ok(b"weir".to_vec()),
            [b"plugin_root_id"] => Ok(Vec::new()),
            [b"plugin_vm_id"] => Ok(self.vm_id.clone().into_bytes()),
            [b"xds", b"node", b"id"] => Ok(b"sim".to_vec()),
            path => {
                let stream = self.stream().ok_or(Status::NotFound)?;
                properties::of_stream(stream, path, self.world.now())
            }
        }
    }

    pub(crate) fn set_property(&mut self, path: &[u8], value: &[u8]) -> Result<(), Status> {
        let stream = self.stream_mut().ok_or(Status::NotFound)?;
        stream.filter_state.insert(path.to_vec(), value.to_vec());
        Ok(())
    }

    // Shared data and queues.

    pub(crate) fn set_shared(&mut self, key: &[u8], value: &[u8], cas: u32) -> Result<(), Status> {
        if cas != 0 {
            let before = self.world.state().conflicts.next();
            match before {
                Before::Nothing => {}
                Before::Rewrite => {
                    let mut world = self.world.state();
                    if let Ok((present, _)) = world.shared.get(&self.vm_id, key) {
                        world.shared.set(&self.vm_id, key, &present, 0)?;
                    }
                }
                Before::Act(act) => act(),
            }
        }
        self.world.state().shared.set(&self.vm_id, key, value, cas)
    }

    pub(crate) fn register_queue(&mut self, name: &[u8]) -> u32 {
        let registrant = Registrant { vm: self.place, context: self.context() };
        self.world.state().queues.register(&self.vm_id, name, registrant)
    }

    pub(crate) fn resolve_queue(&self, vm_id: &[u8], name: &[u8]) -> Result<u32, Status> {
        let named = String::from_utf8_lossy(vm_id);
        let vm_id = if named.is_empty() { self.vm_id.as_str() } else { &named };
        self.world.state().queues.resolve(vm_id, name)
    }

    pub(crate) fn enqueue(&mut self, token: u32, item: &[u8]) -> Result<(), Status> {
        let mut world = self.world.state();
        if let Some(registrant) = world.queues.enqueue(token, item)? {
            world.posted.push_back((registrant, token));
        }
        Ok(())
    }

    // Metrics.

    pub(crate) fn define_metric(&mut self, kind: i32, name: &[u8]) -> Result<u32, Status> {
        let name = (Kind::from_abi(kind)?, String::from_utf8_lossy(name).into_owned());
        self.world.state().metrics.define(&name);
        self.metric_ids.push(name);
        u32::try_from(self.metric_ids.len()).map_err(|_| Status::InternalFailure)
    }

    pub(crate) fn metric(&self, id: u32) -> Result<Name, Status> {
        let place = usize::try_from(id).ok().and_then(|id| id.checked_sub(1));
        place.and_then(|place| self.metric_ids.get(place)).cloned().ok_or(Status::NotFound)
    }

    // Streams.

    /// Lets a paused direction go on; the maps of that direction are gone from here on.
    pub(crate) fn resume(&mut self, direction: i32) -> Result<(), Status> {
        let context = self.context();
        let request = match direction {
            0 => true,
            1 => false,
            2 => return Ok(()),
            3 => return Err(Status::Unimplemented),
            _ => return Err(Status::BadArgument),
        };
        if let Some(stream) = self.streams.get_mut(&context) {
            let side = if request { &mut stream.request } else { &mut stream.response };
            side.headers_open = false;
            side.trailers_open = false;
            side.buffer_open = false;
            self.resumed.push((context, request));
        }
        Ok(())
    }

    pub(crate) fn reply(&mut self, reply: LocalReply) {
        self.stopped = true;
        if let Some(stream) = self.stream_mut()
            && stream.phase < Phase::Log
        {
            stream.asked = Some(reply);
        }
    }

    pub(crate) fn set_effective(&mut self, context: u32) -> Result<(), Status> {
        if !self.roots.contains_key(&context) && !self.streams.contains_key(&context) {
            return Err(Status::BadArgument);
        }
        self.effective = context;
        Ok(())
    }

    // Calls.

    pub(crate) fn http_call(
        &mut self,
        cluster: &[u8],
        headers: Headers,
        body: Vec<u8>,
        timeout: u32,
    ) -> Result<u32, Status> {
        if [":method", ":path", ":authority"].iter().any(|name| headers.get(name).is_none()) {
            return Err(Status::BadArgument);
        }
        let cluster = String::from_utf8_lossy(cluster).into_owned();
        let served = self.world.state().clusters.remove(&cluster).ok_or(Status::BadArgument)?;
        let Cluster::Serves(mut serve) = served else {
            self.world.state().clusters.insert(cluster, served);
            return Err(Status::InternalFailure);
        };
        let answer = serve(&Call { headers, body });
        self.world.state().clusters.insert(cluster, Cluster::Serves(serve));
        let now = self.world.now();
        let deadline = (timeout > 0).then(|| now + u64::from(timeout) * 1_000_000);
        let (due, response) = match answer {
            Answer::After(latency, response) => {
                (Some(now + super::world::nanos(latency)), response.within_limits())
            }
            Answer::Refused => (Some(now), CallResponse::refused()),
            Answer::Silent => (deadline, CallResponse::timed_out()),
        };
        let late = deadline.is_some_and(|deadline| due.is_some_and(|due| due > deadline));
        let (due, response) =
            if late { (deadline, CallResponse::timed_out()) } else { (due, response) };
        self.last_token += 1;
        let pending = Pending { token: self.last_token, root: self.root(), due, response };
        self.calls.push(pending);
        Ok(self.last_token)
    }
}
