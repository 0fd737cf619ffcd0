#include "ended.h"

namespace glasscase::working {

rpc::JobEnded::Ending EndingBy(const Error& error) {
  switch (error.code()) {
    case Code::kCancelled: return rpc::JobEnded::CANCELLED;
    case Code::kInvalidArgument:
    case Code::kFailedPrecondition: return rpc::JobEnded::FAILED;
    default: return rpc::JobEnded::NOT_RUN;
  }
}

}  // namespace glasscase::working
