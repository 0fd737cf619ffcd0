// The REST interface of a Kubernetes API server.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include <boost/json.hpp>

#include <glasscase/fetch/fetch.h>
#include <glasscase/jobs_kubernetes/kubernetes.h>

namespace glasscase::jobs {

// One thread. Each act is one exchange, never repeated here. All fail with
//   Unavailable, DeadlineExceeded      it is away, busy (429) or in trouble (5xx); it may have done it
//   Unauthenticated, PermissionDenied  it does not know us, or does not let us
//   NotFound, AlreadyExists, InvalidArgument
//   FailedPrecondition                 our token cannot be read, or its certificate is not trusted
// and with the server's words.
class ApiServer {
 public:
  // InvalidArgument when it would be asked without TLS.
  static Result<std::unique_ptr<ApiServer>> Connect(ClusterAccess access);

  Result<boost::json::value> Get(const std::string& path);
  Result<boost::json::value> Create(const std::string& path, const boost::json::value& object);
  Status Delete(const std::string& path, const boost::json::value& options);
  // A text, as it comes; also one that goes on for days.
  Status Stream(const std::string& path, const std::function<void(std::string_view)>& take,
                std::stop_token stop);

  // How long it asked to be left alone in its last answer; 0: it did not.
  int64_t retry_after_ms() const { return retry_after_ms_; }
  // "cluster.example:6443"
  const std::string& host() const { return host_; }

 private:
  ApiServer(ClusterAccess access, std::string host, std::unique_ptr<fetch::Fetcher> fetcher);
  Result<fetch::Answer> Exchange(fetch::Request request);
  Result<boost::json::value> Ask(fetch::Request request);

  const ClusterAccess access_;
  const std::string host_;
  const std::unique_ptr<fetch::Fetcher> fetcher_;
  int64_t retry_after_ms_ = 0;
};

// For addresses: "a b" as "a%20b".
std::string InQuery(std::string_view text);

// The error of an answer that is not a 2xx; `host` is named in it.
Error ErrorOfAnswer(int status, std::string_view body, const std::string& host);

}  // namespace glasscase::jobs
