// Listens to the supervisor. For children that have an EventLoop.
#pragma once

#include <functional>

#include <glasscase/core/error.h>
#include <glasscase/process/event_loop.h>
#include <glasscase/process/lifeline.h>

namespace glasscase::process {

// From now on `socket`, which is made non-blocking, is read on the loop's thread: each message goes to
// `on_message`. The loop is stopped by kShutDown and when the supervisor is gone or sends what is no message.
Status FollowLifeline(EventLoop& loop, int socket, std::function<void(ReceivedLifelineMessage)> on_message);

}  // namespace glasscase::process
