#include <glasscase/process/follow_lifeline.h>

#include <fcntl.h>
#include <sys/epoll.h>

#include <cerrno>
#include <utility>

namespace glasscase::process {

Status FollowLifeline(EventLoop& loop, int socket, std::function<void(ReceivedLifelineMessage)> on_message) {
  const int flags = ::fcntl(socket, F_GETFL);
  if (flags < 0 || ::fcntl(socket, F_SETFL, flags | O_NONBLOCK) != 0)
    return Fail(Error::FromErrno(errno, "cannot set up the lifeline"));
  loop.Add(socket, EPOLLIN, [&loop, socket, on_message = std::move(on_message)](uint32_t) {
    while (true) {
      auto received = ReceiveLifeline(socket);
      if (!received) return loop.Stop();
      if (!*received) return;
      if ((*received)->message.type == LifelineMessage::Type::kShutDown) return loop.Stop();
      on_message(std::move(**received));
    }
  });
  return Ok();
}

}  // namespace glasscase::process
