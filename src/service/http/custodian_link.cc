#include "custodian_link.h"

#include <unistd.h>

#include <boost/asio/post.hpp>

#include <glasscase/core/log.h>
#include <glasscase/rpc/convert.h>

namespace glasscase::http {
namespace {

constexpr size_t kAuditBatchRecords = 4096;  // half a megabyte: below the custodian's frame limit
constexpr size_t kTableFrameBytesMax = size_t{16} << 20;

}  // namespace

CustodianLink::CustodianLink(boost::asio::io_context& io, const Clock& clock,
                             process::Confinement confinement)
    : io_(io), clock_(clock), confinement_(std::move(confinement)) {}

void CustodianLink::Connect(Fd socket) {
  Disconnect("a new custodian took over");
  ++connection_;
  readiness_.emplace(io_, dup(socket.get()));
  socket_.emplace(std::move(socket), process::FrameSocket::Limits{.frame_bytes_max = kTableFrameBytesMax});
  rpc::ToCustodian message;
  message.mutable_hello()->set_pid(static_cast<uint32_t>(getpid()));
  for (const std::string& item : confinement_.in_force) message.mutable_hello()->add_in_force(item);
  for (const std::string& item : confinement_.missing) message.mutable_hello()->add_missing(item);
  Send(message);
  WaitReadable(connection_);
}

bool CustodianLink::TableInForce() const { return have_table_ && clock_.MonotonicNanos() < lease_until_ns_; }

uint64_t CustodianLink::Ask(rpc::Request request, Answer answer) {
  return AskForDescriptor(
      std::move(request),
      [answer = std::move(answer)](Result<rpc::Response> response, Fd) { answer(std::move(response)); });
}

uint64_t CustodianLink::AskForDescriptor(rpc::Request request, AnswerWithDescriptor answer) {
  if (!socket_) {
    answer(Fail(Error::Unavailable("the custodian is restarting; try again")), Fd());
    return 0;
  }
  if (!standby_.empty()) {
    answer(Fail(NotInForce()), Fd());
    return 0;
  }
  const uint64_t number = next_question_++;
  request.set_id(number);
  questions_.emplace(number, std::move(answer));
  rpc::ToCustodian message;
  *message.mutable_request() = std::move(request);
  Send(message);
  return number;
}

void CustodianLink::Audit(const access::AuditRecord& record) {
  if (audit_.size() == kAuditBatchRecords) FlushAudit();
  if (audit_.size() < kAuditBatchRecords) audit_.push_back(record);
}

void CustodianLink::FlushAudit() {
  if (audit_.empty() || !socket_) return;
  rpc::ToCustodian message;
  message.mutable_audit()->set_records(audit_.data(), audit_.size() * sizeof(access::AuditRecord));
  audit_.clear();
  Send(message);
}

void CustodianLink::Send(const rpc::ToCustodian& message) {
  if (!socket_) return;
  if (const Status sent = socket_->Send(message.SerializeAsString()); !sent) {
    // Later: this may be running inside the socket's own Receive.
    boost::asio::post(io_, [this, connection = connection_, why = sent.error().message()] {
      if (connection == connection_) Disconnect(why);
    });
    return;
  }
  if (socket_->wants_write()) WaitWritable();
}

void CustodianLink::WaitReadable(uint64_t connection) {
  readiness_->async_wait(Descriptor::wait_read, [this, connection](const boost::system::error_code& error) {
    if (error || connection != connection_ || !socket_) return;
    const Status received = socket_->Receive([this](process::Frame frame) { OnFrame(std::move(frame)); });
    if (connection != connection_) return;
    if (!received) {
      Disconnect(received.error().message());
      return;
    }
    if (socket_) WaitReadable(connection);
  });
}

void CustodianLink::WaitWritable() {
  if (waiting_to_write_) return;
  waiting_to_write_ = true;
  readiness_->async_wait(Descriptor::wait_write,
                         [this, connection = connection_](const boost::system::error_code& error) {
                           if (connection != connection_) return;
                           waiting_to_write_ = false;
                           if (error || !socket_) return;
                           if (const Status flushed = socket_->Flush(); !flushed) {
                             Disconnect(flushed.error().message());
                             return;
                           }
                           if (socket_->wants_write()) WaitWritable();
                         });
}

void CustodianLink::OnFrame(process::Frame frame) {
  rpc::FromCustodian message;
  if (!message.ParseFromString(frame.payload)) {
    LogError("the custodian sent a frame that cannot be parsed");
    return;
  }
  if (message.has_response()) {
    const auto question = questions_.find(message.response().id());
    if (question == questions_.end()) return;  // its connection is gone
    const AnswerWithDescriptor answer = std::move(question->second);
    questions_.erase(question);
    answer(std::move(*message.mutable_response()), frame.fds.empty() ? Fd() : std::move(frame.fds[0]));
  } else if (message.has_table()) {
    OnTable(message.table());
  } else if (message.has_standby()) {
    standby_ = Printable(message.standby().why(), 200);
    FailQuestions(NotInForce());
  } else if (message.has_lease()) {
    lease_until_ns_ = message.lease().until_monotonic_ns();
    Acknowledge(0);  // a sign of life
  }
}

void CustodianLink::OnTable(const rpc::TableUpdate& message) {
  standby_.clear();
  Result<access::TableUpdate> update = rpc::FromMessage(message);
  if (!update) {
    LogError("the custodian sent a table that cannot be used: " + update.error().message());
    return;
  }
  if (update->reset) incoming_ = std::make_unique<access::AccessTable>();
  (incoming_ ? *incoming_ : *table_).Apply(*update);
  ++table_epoch_;
  if (!message.more() && incoming_) {
    table_ = std::move(incoming_);
    have_table_ = true;
  }
  Acknowledge(message.sequence());
}

void CustodianLink::Acknowledge(uint64_t sequence) {
  rpc::ToCustodian acknowledgement;
  acknowledgement.mutable_ack()->set_sequence(sequence);
  Send(acknowledgement);
}

void CustodianLink::Disconnect(std::string_view why) {
  if (!socket_) return;
  LogInfo("link to the custodian ended: " + std::string(why));
  readiness_.reset();
  socket_.reset();
  waiting_to_write_ = false;
  incoming_.reset();
  standby_.clear();
  ++connection_;
  FailQuestions(
      Error::Unavailable("the custodian restarted before it answered; see whether the act took place, then "
                         "repeat it (repeating is safe)"));
}

void CustodianLink::FailQuestions(const Error& why) {
  std::unordered_map<uint64_t, AnswerWithDescriptor> unanswered;
  unanswered.swap(questions_);
  for (const auto& [number, answer] : unanswered) answer(Fail(why), Fd());
}

Error CustodianLink::NotInForce() const {
  return Error::Unavailable(standby_.empty() ? "the access table is not in force at the moment; try again"
                                             : standby_);
}

}  // namespace glasscase::http
