// TLS 1.3 between two ends that know each other by their keys: no authority signs anything, a key's pin says
// whose it is. Certificates are only the envelope that TLS wants; each end makes its own from its key.
//
// Never blocks: the owner waits for the socket's readiness and calls. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <glasscase/core/error.h>
#include <glasscase/core/secret.h>
#include <glasscase/crypto/pin.h>
#include <glasscase/process/fd.h>

struct ssl_ctx_st;  // OpenSSL's SSL_CTX
struct ssl_st;

namespace glasscase::tunnel {

// Who may be at the other end: an error that says why not. Called before any byte of theirs is read.
using Trust = std::function<Status(const Pin& peer)>;
struct PeerCheck;  // what is asked of the other end of one stream

// One key, for any number of connections.
class TlsIdentity {
 public:
  // The certificate is made now and valid for ten years. InvalidArgument when it is no such key.
  static Result<TlsIdentity> FromKey(const Secret& key_pem);
  // With a certificate of somebody else's making, for tests of what is refused.
  static Result<TlsIdentity> FromKeyAndCertificate(const Secret& key_pem, const std::string& certificate_pem);

  const Pin& pin() const { return pin_; }

 private:
  friend class TlsStream;
  std::shared_ptr<ssl_ctx_st> context_;  // shared by the connections that it began
  Pin pin_{};
};

class TlsStream {
 public:
  // Both take a connected socket over and make it non-blocking.
  static Result<TlsStream> Accept(const TlsIdentity& identity, Fd socket, Trust trust);
  static Result<TlsStream> Connect(const TlsIdentity& identity, Fd socket, Trust trust);

  TlsStream(TlsStream&& other) noexcept;
  TlsStream& operator=(TlsStream&& other) = delete;
  ~TlsStream();

  int fd() const { return socket_.get(); }

  // True when it is done, false when the socket has to be ready first. Unauthenticated with the reason when
  // either end refuses the other; the other end is told as far as TLS can.
  Result<bool> ShakeHands();
  const Pin& peer() const;  // after ShakeHands

  // Bytes; 0 when there are none now. Unavailable at the end of the stream.
  Result<size_t> Read(char* to, size_t bytes);
  Result<size_t> Write(std::string_view from);
  // The last call wants the socket to be writable, whatever it was.
  bool wants_write() const { return wants_write_; }
  // Says that nothing follows, as far as it can without waiting.
  void Close();

 private:
  TlsStream();
  static Result<TlsStream> Begin(const TlsIdentity& identity, Fd socket, Trust trust, bool is_server);
  Result<size_t> After(int result, const char* what);
  Error RefusalOf(int ssl_error) const;

  Fd socket_;
  std::unique_ptr<PeerCheck> check_;  // `ssl_` points to it
  std::unique_ptr<ssl_st, void (*)(ssl_st*)> ssl_{nullptr, nullptr};
  bool wants_write_ = false;
};

// Reads what OpenSSL reads only once, before files are out of reach.
Status WarmUpTls();

}  // namespace glasscase::tunnel
