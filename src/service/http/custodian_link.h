// The edge's end of its socket to the custodian: asks for control acts, receives the access table and its
// lease, reports decisions. Survives the custodian: while it is gone, questions are answered Unavailable.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include <glasscase/access/audit.h>
#include <glasscase/access/table.h>
#include <glasscase/core/clock.h>
#include <glasscase/process/confine.h>
#include <glasscase/process/frame_socket.h>
#include <glasscase/rpc/link.pb.h>

namespace glasscase::http {

class CustodianLink {
 public:
  using Answer = std::function<void(Result<rpc::Response>)>;
  using AnswerWithDescriptor = std::function<void(Result<rpc::Response>, Fd)>;

  CustodianLink(boost::asio::io_context& io, const Clock& clock, process::Confinement confinement);

  // Replaces the socket: a new custodian, or a first one. Its table comes whole.
  void Connect(Fd socket);

  const access::AccessTable& table() const { return *table_; }
  // Changes whenever rows of the table may have moved.
  uint64_t table_epoch() const { return table_epoch_; }
  // True when a whole table is there and its lease runs.
  bool TableInForce() const;
  // Why not, for callers.
  Error NotInForce() const;

  // Sends the request (its id is set here) and calls `answer` once. Returns a number for Forget.
  uint64_t Ask(rpc::Request request, Answer answer);
  // For requests whose answer brings a descriptor; an invalid one when it brings none.
  uint64_t AskForDescriptor(rpc::Request request, AnswerWithDescriptor answer);
  void Forget(uint64_t number) { questions_.erase(number); }

  // Queues a record; sent ten times a second, or when many wait.
  void Audit(const access::AuditRecord& record);
  void FlushAudit();

 private:
  using Descriptor = boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type>;
  void WaitReadable(uint64_t connection);
  void WaitWritable();
  void Send(const rpc::ToCustodian& message);
  void OnFrame(process::Frame frame);
  void Acknowledge(uint64_t sequence);
  void OnTable(const rpc::TableUpdate& message);
  void Disconnect(std::string_view why);
  void FailQuestions(const Error& why);

  boost::asio::io_context& io_;
  const Clock& clock_;
  process::Confinement confinement_;
  std::optional<process::FrameSocket> socket_;
  std::optional<Descriptor> readiness_;  // a duplicate of the socket, for Asio to wait on
  uint64_t connection_ = 0;              // counts Connect, so that late waits know they are late
  bool waiting_to_write_ = false;
  std::unique_ptr<access::AccessTable> table_ = std::make_unique<access::AccessTable>();
  std::unique_ptr<access::AccessTable> incoming_;  // a whole table under way
  bool have_table_ = false;
  uint64_t table_epoch_ = 1;
  int64_t lease_until_ns_ = 0;
  std::string standby_;  // why the custodian answers nothing yet
  uint64_t next_question_ = 1;
  std::unordered_map<uint64_t, AnswerWithDescriptor> questions_;
  std::vector<access::AuditRecord> audit_;
};

}  // namespace glasscase::http
