// What all connections of an edge share.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <boost/asio/io_context.hpp>

#include <glasscase/access/audit.h>
#include <glasscase/access/decide.h>
#include <glasscase/core/clock.h>
#include <glasscase/http/edge.h>

#include "custodian_link.h"
#include "host_links.h"
#include "infer_request.h"

namespace glasscase::http {

class Connection;

// A caller whose quota a host found exhausted: refused here until then, on the host's word.
struct QuotaMemo {
  access::Quota quota;
  int64_t until_ns = 0;
};

struct Gateway {
  Gateway(boost::asio::io_context& io, EdgeOptions options, const Clock& clock,
          process::Confinement confinement);

  boost::asio::io_context& io;
  EdgeOptions options;
  const Clock& clock;
  CustodianLink custodian;
  HostLinks hosts;
  InferRequestParser infer_parser;
  InferRequest infer_request;  // reused: one request is parsed at a time
  InferBody infer_body;
  std::unordered_map<Uuid, QuotaMemo, UuidHash> exhausted;
  std::string date;        // "Date: ...\r\n", renewed every second
  int64_t now_ns = 0;      // monotonic, taken once per round of the loop
  int64_t now_micros = 0;  // wall clock, same
  bool slept = false;      // the loop slept since the clock was read
  bool stopping = false;
  std::vector<Connection*> dead;  // closed connections, deleted between rounds of the loop

  void ReadClock();
  // The first handler after a sleep reads the clock again.
  void WakeClock() {
    if (slept) ReadClock();
  }
  void RenewDate();
};

}  // namespace glasscase::http
