// JSON-RPC over HTTP with the configured node.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/array.hpp>
#include <glasscase/fetch/fetch.h>

#include "rpc_answers.h"

namespace glasscase::ledger::evm {

struct JsonRpcOptions {
  std::string url;
  std::string ca_pem{};
  std::vector<fetch::ResolvedHost> resolved{};
  Secret authorization{};  // the whole value of that header; empty: none
  int64_t timeout_ms = 20'000;
};

// Not thread-safe.
class JsonRpc {
 public:
  static Result<std::unique_ptr<JsonRpc>> Create(JsonRpcOptions options);

  // An error is one of the way to the node and back; what the node itself refuses is in the answer.
  Result<RpcAnswer> Ask(std::string_view method, boost::json::array parameters);
  const std::string& host() const { return host_; }

 private:
  JsonRpc(JsonRpcOptions options, std::string host, std::unique_ptr<fetch::Fetcher> fetcher);

  JsonRpcOptions options_;
  std::string host_;
  std::unique_ptr<fetch::Fetcher> fetcher_;
  uint64_t last_id_ = 0;
};

}  // namespace glasscase::ledger::evm
