//! Every import that Envoy provides and a Weir module may use, one declaration each.

use wasmi::{Caller, Error, FuncType, Linker, Val, ValType};

use super::super::headers::Headers;
use super::super::host::Host;
use super::super::outcome::LocalReply;
use super::super::status::{Fault, Status};
use super::{index, serve};

/// Most bytes of entropy that one call gives.
const MAX_ENTROPY: usize = 64 * 1024;
/// WASI's "invalid argument".
const ERRNO_INVAL: i32 = 28;
/// WASI's "not supported".
const ERRNO_NOTSUP: i32 = 58;

/// Declares one import: its name, its parameters, and what it does.
macro_rules! import {
    ($linker:ident, $module:literal, $name:literal, |$guest:ident $(, $arg:ident: $ty:ty)*| $body:expr) => {
        $linker.func_wrap($module, $name, |caller: Caller<'_, Host> $(, $arg: $ty)*| -> Result<i32, Error> {
            serve(caller, $name, |$guest| $body)
        })?;
    };
}

/// Links every import that Envoy provides and a Weir module may use.
pub(crate) fn link(linker: &mut Linker<Host>) -> Result<(), Error> {
    link_basics(linker)?;
    link_maps(linker)?;
    link_buffers_and_properties(linker)?;
    link_shared(linker)?;
    link_metrics(linker)?;
    link_streams(linker)?;
    link_grpc(linker)?;
    link_wasi(linker)
}

fn link_basics(linker: &mut Linker<Host>) -> Result<(), Error> {
    import!(linker, "env", "proxy_log", |guest, level: i32, text: i32, size: i32| {
        let text = guest.read(text, size)?;
        Ok(guest.host().log(level, &text)?)
    });
    import!(linker, "env", "proxy_get_log_level", |guest, level_to: i32| {
        let level = guest.host().world.state().log_level;
        guest.write_u32(level_to, level.cast_unsigned())
    });
    import!(linker, "env", "proxy_get_current_time_nanoseconds", |guest, time_to: i32| {
        let time = guest.host().world.state().wall;
        guest.write_u64(time_to, time)
    });
    import!(linker, "env", "proxy_set_tick_period_milliseconds", |guest, period: i32| {
        guest.host().set_tick_period(period.cast_unsigned());
        Ok(())
    });
    import!(linker, "env", "proxy_done", |_guest| Err(Status::NotFound.into()));
    import!(
        linker,
        "env",
        "proxy_call_foreign_function",
        |guest, name: i32, name_size: i32, _args: i32, _args_size: i32, _to: i32, _size_to: i32| {
            guest.read(name, name_size)?;
            Err(Status::NotFound.into())
        }
    );
    Ok(())
}

fn link_maps(linker: &mut Linker<Host>) -> Result<(), Error> {
    import!(
        linker,
        "env",
        "proxy_get_header_map_pairs",
        |guest, map: i32, to: i32, size_to: i32| {
            let headers = guest.host().map(map).unwrap_or_default();
            let bytes = if headers.is_empty() { Vec::new() } else { headers.encode() };
            guest.give(&bytes, to, size_to)
        }
    );
    import!(linker, "env", "proxy_set_header_map_pairs", |guest, map: i32, at: i32, size: i32| {
        let headers = Headers::decode(&guest.read(at, size)?);
        *guest.host().map_mut(map)? = headers;
        Ok(())
    });
    import!(linker, "env", "proxy_get_header_map_size", |guest, map: i32, size_to: i32| {
        let size = guest.host().map(map)?.bytes();
        guest.write_u32(size_to, u32::try_from(size).unwrap_or(u32::MAX))
    });
    import!(
        linker,
        "env",
        "proxy_get_header_map_value",
        |guest, map: i32, name: i32, name_size: i32, to: i32, size_to: i32| {
            let name = guest.read(name, name_size)?;
            let value = guest.host().header(map, &name)?;
            guest.give(&value, to, size_to)
        }
    );
    import!(
        linker,
        "env",
        "proxy_remove_header_map_value",
        |guest, map: i32, name: i32, name_size: i32| {
            let name = guest.read(name, name_size)?;
            guest.host().map_mut(map)?.remove(&name);
            Ok(())
        }
    );
    import!(
        linker,
        "env",
        "proxy_replace_header_map_value",
        |guest, map: i32, name: i32, name_size: i32, value: i32, value_size: i32| {
            let (name, value) = (guest.read(name, name_size)?, guest.read(value, value_size)?);
            guest.host().map_mut(map)?.set(&name, &value);
            Ok(())
        }
    );
    import!(
        linker,
        "env",
        "proxy_add_header_map_value",
        |guest, map: i32, name: i32, name_size: i32, value: i32, value_size: i32| {
            let (name, value) = (guest.read(name, name_size)?, guest.read(value, value_size)?);
            guest.host().map_mut(map)?.add(&name, &value);
            Ok(())
        }
    );
    Ok(())
}

fn link_buffers_and_properties(linker: &mut Linker<Host>) -> Result<(), Error> {
    import!(
        linker,
        "env",
        "proxy_get_buffer_bytes",
        |guest, buffer: i32, start: i32, size: i32, to: i32, size_to: i32| {
            let bytes = guest.host().buffer(buffer)?;
            let start = index(start).min(bytes.len());
            let end = start.saturating_add(index(size)).min(bytes.len());
            let part = bytes.get(start..end).unwrap_or_default();
            guest.give(part, to, size_to)
        }
    );
    import!(
        linker,
        "env",
        "proxy_set_buffer_bytes",
        |guest, buffer: i32, start: i32, size: i32, at: i32, at_size: i32| {
            let new = guest.read(at, at_size)?;
            Ok(guest.host().set_buffer(buffer, index(start), index(size), &new)?)
        }
    );
    import!(
        linker,
        "env",
        "proxy_get_property",
        |guest, path: i32, path_size: i32, to: i32, size_to: i32| {
            let path = guest.read(path, path_size)?;
            let value = guest.host().property(&path)?;
            guest.give(&value, to, size_to)
        }
    );
    import!(
        linker,
        "env",
        "proxy_set_property",
        |guest, path: i32, path_size: i32, value: i32, value_size: i32| {
            let (path, value) = (guest.read(path, path_size)?, guest.read(value, value_size)?);
            Ok(guest.host().set_property(&path, &value)?)
        }
    );
    Ok(())
}

fn link_shared(linker: &mut Linker<Host>) -> Result<(), Error> {
    import!(
        linker,
        "env",
        "proxy_get_shared_data",
        |guest, key: i32, key_size: i32, to: i32, size_to: i32, cas_to: i32| {
            let key = guest.read(key, key_size)?;
            let host = guest.host();
            let (value, cas) = host.world.state().shared.get(&host.vm_id, &key)?;
            guest.give(&value, to, size_to)?;
            guest.write_u32(cas_to, cas)
        }
    );
    import!(
        linker,
        "env",
        "proxy_set_shared_data",
        |guest, key: i32, key_size: i32, value: i32, value_size: i32, cas: i32| {
            let (key, value) = (guest.read(key, key_size)?, guest.read(value, value_size)?);
            Ok(guest.host().set_shared(&key, &value, cas.cast_unsigned())?)
        }
    );
    import!(
        linker,
        "env",
        "proxy_register_shared_queue",
        |guest, name: i32, name_size: i32, token_to: i32| {
            let name = guest.read(name, name_size)?;
            let token = guest.host().register_queue(&name);
            guest.write_u32(token_to, token)
        }
    );
    import!(
        linker,
        "env",
        "proxy_resolve_shared_queue",
        |guest, vm_id: i32, vm_id_size: i32, name: i32, name_size: i32, token_to: i32| {
            let (vm_id, name) = (guest.read(vm_id, vm_id_size)?, guest.read(name, name_size)?);
            let token = guest.host().resolve_queue(&vm_id, &name)?;
            guest.write_u32(token_to, token)
        }
    );
    import!(
        linker,
        "env",
        "proxy_dequeue_shared_queue",
        |guest, token: i32, to: i32, size_to: i32| {
            let item = guest.host().world.state().queues.dequeue(token.cast_unsigned())?;
            guest.give(&item, to, size_to)
        }
    );
    import!(
        linker,
        "env",
        "proxy_enqueue_shared_queue",
        |guest, token: i32, item: i32, item_size: i32| {
            let item = guest.read(item, item_size)?;
            Ok(guest.host().enqueue(token.cast_unsigned(), &item)?)
        }
    );
    Ok(())
}

fn link_metrics(linker: &mut Linker<Host>) -> Result<(), Error> {
    import!(
        linker,
        "env",
        "proxy_define_metric",
        |guest, kind: i32, name: i32, name_size: i32, id_to: i32| {
            let name = guest.read(name, name_size)?;
            let id = guest.host().define_metric(kind, &name)?;
            guest.write_u32(id_to, id)
        }
    );
    import!(linker, "env", "proxy_get_metric", |guest, id: i32, value_to: i32| {
        let name = guest.host().metric(id.cast_unsigned())?;
        let value = guest.host().world.state().metrics.get(&name)?;
        guest.write_u64(value_to, value)
    });
    import!(linker, "env", "proxy_record_metric", |guest, id: i32, value: i64| {
        let name = guest.host().metric(id.cast_unsigned())?;
        guest.host().world.state().metrics.record(&name, value.cast_unsigned());
        Ok(())
    });
    import!(linker, "env", "proxy_increment_metric", |guest, id: i32, offset: i64| {
        let name = guest.host().metric(id.cast_unsigned())?;
        Ok(guest.host().world.state().metrics.increment(&name, offset)?)
    });
    Ok(())
}

fn link_streams(linker: &mut Linker<Host>) -> Result<(), Error> {
    import!(linker, "env", "proxy_continue_stream", |guest, direction: i32| {
        Ok(guest.host().resume(direction)?)
    });
    import!(linker, "env", "proxy_close_stream", |_guest, _direction: i32| Ok(()));
    import!(linker, "env", "proxy_set_effective_context", |guest, context: i32| {
        Ok(guest.host().set_effective(context.cast_unsigned())?)
    });
    import!(
        linker,
        "env",
        "proxy_send_local_response",
        |guest,
         status: i32,
         details: i32,
         details_size: i32,
         body: i32,
         body_size: i32,
         headers: i32,
         headers_size: i32,
         grpc: i32| {
            let details = guest.read(details, details_size)?;
            let body = guest.read(body, body_size)?;
            let headers = Headers::decode(&guest.read(headers, headers_size)?);
            guest.host().reply(LocalReply {
                status: status.cast_unsigned(),
                headers,
                body,
                details: String::from_utf8_lossy(&details).replace(char::is_whitespace, "_"),
                grpc: (grpc >= 0).then_some(grpc),
            });
            Ok(())
        }
    );
    import!(
        linker,
        "env",
        "proxy_http_call",
        |guest,
         cluster: i32,
         cluster_size: i32,
         headers: i32,
         headers_size: i32,
         body: i32,
         body_size: i32,
         _trailers: i32,
         _trailers_size: i32,
         timeout: i32,
         token_to: i32| {
            let cluster = guest.read(cluster, cluster_size)?;
            let headers = Headers::decode(&guest.read(headers, headers_size)?);
            let body = guest.read(body, body_size)?;
            let timeout = timeout.cast_unsigned();
            let token = guest.host().http_call(&cluster, headers, body, timeout)?;
            guest.write_u32(token_to, token)
        }
    );
    Ok(())
}

/// gRPC calls: the simulated world has no gRPC service, so every one meets an unknown cluster or token.
fn link_grpc(linker: &mut Linker<Host>) -> Result<(), Error> {
    for (function, parameters) in [("proxy_grpc_call", 12), ("proxy_grpc_stream", 9)] {
        let ty = FuncType::new(vec![ValType::I32; parameters], [ValType::I32]);
        linker.func_new("env", function, ty, move |caller, _, results| {
            let status = serve(caller, function, |_| Err(Status::ParseFailure.into()))?;
            results.fill(Val::I32(status));
            Ok(())
        })?;
    }
    import!(
        linker,
        "env",
        "proxy_grpc_send",
        |_guest, _token: i32, _at: i32, _size: i32, _end: i32| { Err(Status::NotFound.into()) }
    );
    import!(linker, "env", "proxy_grpc_cancel", |_guest, _token: i32| Err(Status::NotFound.into()));
    import!(linker, "env", "proxy_grpc_close", |_guest, _token: i32| Err(Status::NotFound.into()));
    import!(linker, "env", "proxy_get_status", |guest, code_to: i32, to: i32, size_to: i32| {
        guest.write_u32(code_to, 0)?;
        guest.give(b"", to, size_to)
    });
    Ok(())
}

fn link_wasi(linker: &mut Linker<Host>) -> Result<(), Error> {
    import!(linker, "wasi_snapshot_preview1", "random_get", |guest, to: i32, size: i32| {
        let size = index(size);
        if size > MAX_ENTROPY {
            return Err(Fault::Errno(ERRNO_INVAL));
        }
        let mut bytes = Vec::with_capacity(size.next_multiple_of(8));
        while bytes.len() < size {
            bytes.extend(guest.host().world.state().entropy());
        }
        guest.write(to, bytes.get(..size).unwrap_or_default())
    });
    import!(
        linker,
        "wasi_snapshot_preview1",
        "clock_time_get",
        |guest, clock: i32, _precision: i64, time_to: i32| {
            let time = {
                let world = guest.host().world.clone();
                let state = world.state();
                match clock {
                    0 => state.wall,
                    1 => state.monotonic,
                    _ => return Err(Fault::Errno(ERRNO_NOTSUP)),
                }
            };
            guest.write_u64(time_to, time)
        }
    );
    Ok(())
}
