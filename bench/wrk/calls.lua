-- One kind of call, over and over. Arguments after --: a file with whole requests, each behind its length.
-- Prints one line of JSON at the end.
local requests, at = {}, 0

function init(args)
  local file = assert(io.open(args[1], "rb"))
  while true do
    local length = file:read("*n")
    if not length then break end
    file:read(1)
    requests[#requests + 1] = file:read(length)
  end
  file:close()
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  io.stderr:write(string.format(
    '{"requests":%d,"microseconds":%d,"bad_status":%d,"socket_errors":%d,"p50":%g,"p90":%g,"p99":%g,"p999":%g}\n',
    summary.requests, summary.duration, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency:percentile(99.9)))
end
