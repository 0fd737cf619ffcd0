#include <glasscase/tunnel/tls.h>

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include <glasscase/crypto/ecdsa.h>
#include <glasscase/crypto/owned.h>
#include <glasscase/crypto/random.h>
#include <glasscase/crypto/sha256.h>

namespace glasscase::tunnel {
namespace {

constexpr long kValidSeconds = 10L * 365 * 24 * 3600;
constexpr long kClockSkewSeconds = 24 * 3600;
constexpr long kCertificateBytesMax = 8 << 10;  // a client's, before it is known
// Length and name, as ALPN wants it. Another version of the records would get another name.
constexpr std::array<unsigned char, 19> kProtocol = {18,  'g', 'l', 'a', 's', 's', 'c', 'a', 's', 'e',
                                                     '-', 'w', 'o', 'r', 'k', 'e', 'r', '/', '1'};

using KeyPtr = Owned<EVP_PKEY, EVP_PKEY_free>;
using CertificatePtr = Owned<X509, X509_free>;
using BioPtr = Owned<BIO, BIO_free>;

Result<Pin> PinIn(X509_PUBKEY* key) {
  unsigned char* der = nullptr;
  const int size = key == nullptr ? 0 : i2d_X509_PUBKEY(key, &der);
  if (size <= 0) return Fail(Error::InvalidArgument("there is no public key in it"));
  const Pin pin = Sha256(ByteSpan(der, static_cast<size_t>(size)));
  OPENSSL_free(der);
  return pin;
}

Result<KeyPtr> ReadKey(const Secret& key_pem) {
  GC_TRY(const EcdsaPrivateKey checked, EcdsaPrivateKey::FromPem(key_pem));
  if (checked.curve() != Curve::kP256)
    return Fail(Error::InvalidArgument("the key is not of the curve P-256"));
  const std::string_view text = key_pem.Reveal(RevealToken());
  const BioPtr bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  if (!key) return Fail(Error::InvalidArgument("the key cannot be read"));
  return key;
}

Result<CertificatePtr> MakeCertificate(EVP_PKEY* key) {
  CertificatePtr certificate(X509_new());
  if (!certificate) return Fail(Error::Internal("OpenSSL has no memory"));
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -kClockSkewSeconds);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kValidSeconds);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME* const name = X509_get_subject_name(certificate.get());
  const auto* common_name = reinterpret_cast<const unsigned char*>("glasscase-worker");
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, common_name, -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  if (X509_sign(certificate.get(), key, EVP_sha256()) <= 0)
    return Fail(Error::Internal("OpenSSL could not make a certificate"));
  return certificate;
}

Status CheckDates(const X509* certificate) {
  if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
    return Fail(Error(Code::kUnauthenticated, "its certificate has expired"));
  if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
    return Fail(Error(Code::kUnauthenticated, "its certificate is not valid yet; do the clocks agree?"));
  return Ok();
}

int ChooseProtocol(SSL*, const unsigned char** chosen, unsigned char* length, const unsigned char* offered,
                   unsigned offered_bytes, void*) {
  for (unsigned at = 0; at < offered_bytes; at += offered[at] + 1U) {
    const std::string_view name(reinterpret_cast<const char*>(offered + at + 1), offered[at]);
    if (at + 1U + name.size() > offered_bytes) break;
    if (name != std::string_view(reinterpret_cast<const char*>(kProtocol.data() + 1), kProtocol[0])) continue;
    *chosen = offered + at + 1;
    *length = offered[at];
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

std::string LastReason() {
  const unsigned long error = ERR_peek_last_error();
  const char* const reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  return reason == nullptr ? "the connection broke off" : reason;
}

// What the other end's alert, or our own complaint, means here.
std::optional<std::string> WordsFor(unsigned long error) {
  switch (ERR_GET_REASON(error)) {
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA: return "the other end does not know this key";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED: return "the other end says that this certificate has expired";
    case SSL_R_UNSUPPORTED_PROTOCOL: return "it speaks an older TLS than 1.3";
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION: return "the other end speaks no TLS 1.3";
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return "it showed no certificate";
    case SSL_R_NO_APPLICATION_PROTOCOL: return "it is no worker of this version";
    case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
      return "the other end takes no workers of this version; are both programs of one version?";
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER: return "it does not speak TLS";
    default: return std::nullopt;
  }
}

}  // namespace

struct PeerCheck {
  Trust trust;
  Pin peer{};
  Status refused{};  // why it was
};

namespace {

// The words that TLS has for why.
int AlertFor(const Status& refused) {
  return refused.error().message().find("expired") != std::string::npos
             ? X509_V_ERR_CERT_HAS_EXPIRED
             : X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT;  // told as "unknown CA"
}

Status CheckPeer(X509* certificate, const Trust& trust, Pin& peer) {
  if (certificate == nullptr) return Fail(Error(Code::kUnauthenticated, "it showed no certificate"));
  GC_TRY(peer, PinIn(X509_get_X509_PUBKEY(certificate)));
  GC_TRY_VOID(trust(peer));
  return CheckDates(certificate);
}

// Instead of a chain to an authority: the leaf's key and dates. Without resumption, so of each connection.
int VerifyPeer(X509_STORE_CTX* store, void*) {
  auto* const ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto& check = *static_cast<PeerCheck*>(SSL_get_app_data(ssl));
  check.refused = CheckPeer(X509_STORE_CTX_get0_cert(store), check.trust, check.peer);
  if (check.refused) return 1;
  X509_STORE_CTX_set_error(store, AlertFor(check.refused));
  return 0;
}

std::shared_ptr<SSL_CTX> MakeContext(EVP_PKEY* key, X509* certificate) {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_method()), SSL_CTX_free);
  if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) != 1 ||
      SSL_CTX_use_certificate(context.get(), certificate) != 1 ||
      SSL_CTX_use_PrivateKey(context.get(), key) != 1 || SSL_CTX_check_private_key(context.get()) != 1)
    return nullptr;
  // A resumed session shows no certificate: one that is not trusted any more would go on.
  SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context.get(), 0);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_max_cert_list(context.get(), kCertificateBytesMax);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(context.get(), VerifyPeer, nullptr);
  SSL_CTX_set_alpn_select_cb(context.get(), ChooseProtocol, nullptr);
  if (SSL_CTX_set_alpn_protos(context.get(), kProtocol.data(), kProtocol.size()) != 0) return nullptr;
  return context;
}

}  // namespace

Result<TlsIdentity> TlsIdentity::FromKey(const Secret& key_pem) {
  GC_TRY(const KeyPtr key, ReadKey(key_pem));
  GC_TRY(const CertificatePtr certificate, MakeCertificate(key.get()));
  TlsIdentity identity;
  GC_TRY(identity.pin_, PinIn(X509_get_X509_PUBKEY(certificate.get())));
  identity.context_ = MakeContext(key.get(), certificate.get());
  if (!identity.context_) return Fail(Error::Internal("OpenSSL does not take the key: " + LastReason()));
  return identity;
}

Result<TlsIdentity> TlsIdentity::FromKeyAndCertificate(const Secret& key_pem,
                                                       const std::string& certificate_pem) {
  GC_TRY(const KeyPtr key, ReadKey(key_pem));
  const BioPtr bio(BIO_new_mem_buf(certificate_pem.data(), static_cast<int>(certificate_pem.size())));
  const CertificatePtr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (!certificate) return Fail(Error::InvalidArgument("there is no PEM certificate in it"));
  TlsIdentity identity;
  GC_TRY(identity.pin_, PinIn(X509_get_X509_PUBKEY(certificate.get())));
  identity.context_ = MakeContext(key.get(), certificate.get());
  if (!identity.context_) return Fail(Error::InvalidArgument("the key is not the certificate's"));
  return identity;
}

// ---- the stream ----

TlsStream::TlsStream() = default;
TlsStream::TlsStream(TlsStream&& other) noexcept = default;
TlsStream::~TlsStream() = default;

Result<TlsStream> TlsStream::Begin(const TlsIdentity& identity, Fd socket, Trust trust, bool is_server) {
  const int flags = ::fcntl(socket.get(), F_GETFL);
  if (flags < 0 || ::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) != 0)
    return Fail(Error::FromErrno(errno, "cannot set up a connection"));
  TlsStream stream;
  stream.socket_ = std::move(socket);
  stream.check_ = std::make_unique<PeerCheck>(PeerCheck{.trust = std::move(trust)});
  stream.ssl_ = {SSL_new(identity.context_.get()), SSL_free};
  if (!stream.ssl_ || SSL_set_fd(stream.ssl_.get(), stream.fd()) != 1)
    return Fail(Error::ResourceExhausted("OpenSSL has no memory"));
  SSL_set_app_data(stream.ssl_.get(), stream.check_.get());
  if (is_server) {
    SSL_set_accept_state(stream.ssl_.get());
  } else {
    SSL_set_connect_state(stream.ssl_.get());
  }
  return stream;
}

Result<TlsStream> TlsStream::Accept(const TlsIdentity& identity, Fd socket, Trust trust) {
  return Begin(identity, std::move(socket), std::move(trust), true);
}

Result<TlsStream> TlsStream::Connect(const TlsIdentity& identity, Fd socket, Trust trust) {
  return Begin(identity, std::move(socket), std::move(trust), false);
}

const Pin& TlsStream::peer() const { return check_->peer; }

Result<bool> TlsStream::ShakeHands() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  const int error = SSL_get_error(ssl_.get(), result);
  wants_write_ = error == SSL_ERROR_WANT_WRITE;
  if (result == 1) return true;
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return false;
  return Fail(RefusalOf(error));
}

Error TlsStream::RefusalOf(int ssl_error) const {
  if (!check_->refused) return check_->refused.error();
  const unsigned long last = ERR_peek_last_error();
  if (ssl_error == SSL_ERROR_SYSCALL && last == 0)
    return {Code::kUnavailable, "the connection broke off before hands were shaken"};
  return {Code::kUnauthenticated, WordsFor(last).value_or("TLS: " + LastReason())};
}

// Of a read or a write: bytes, 0 where the socket has to be ready first.
Result<size_t> TlsStream::After(int result, const char* what) {
  if (result > 0) {
    wants_write_ = false;
    return static_cast<size_t>(result);
  }
  const int error = SSL_get_error(ssl_.get(), result);
  wants_write_ = error == SSL_ERROR_WANT_WRITE;
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return size_t{0};
  if (error == SSL_ERROR_ZERO_RETURN) return Fail(Error::Unavailable("the other end closed the connection"));
  const unsigned long last = ERR_peek_last_error();
  if (error == SSL_ERROR_SYSCALL || ERR_GET_REASON(last) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
    return Fail(Error::Unavailable("the connection broke off"));
  // In TLS 1.3 a server's refusal of the client reaches it when it reads.
  return Fail(Error(Code::kUnauthenticated,
                    WordsFor(last).value_or("cannot " + std::string(what) + ": " + LastReason())));
}

Result<size_t> TlsStream::Read(char* to, size_t bytes) {
  ERR_clear_error();
  return After(SSL_read(ssl_.get(), to, static_cast<int>(std::min<size_t>(bytes, INT32_MAX))), "read");
}

Result<size_t> TlsStream::Write(std::string_view from) {
  ERR_clear_error();
  return After(SSL_write(ssl_.get(), from.data(), static_cast<int>(std::min<size_t>(from.size(), INT32_MAX))),
               "write");
}

void TlsStream::Close() {
  ERR_clear_error();
  if (SSL_is_init_finished(ssl_.get()) == 1) SSL_shutdown(ssl_.get());
}

Status WarmUpTls() {
  SystemRandom random;
  GC_TRY(const TlsIdentity identity,
         TlsIdentity::FromKey(EcdsaPrivateKey::Generate(Curve::kP256, random).Pem()));
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return Fail(Error::FromErrno(errno, "socketpair"));
  const auto anybody = [](const Pin&) { return Ok(); };
  GC_TRY(TlsStream server, TlsStream::Accept(identity, Fd(ends[0]), anybody));
  GC_TRY(TlsStream client, TlsStream::Connect(identity, Fd(ends[1]), anybody));
  for (bool done = false; !done;) {
    GC_TRY(const bool one, client.ShakeHands());
    GC_TRY(const bool other, server.ShakeHands());
    done = one && other;
  }
  GC_TRY_VOID(client.Write("warm"));
  char byte = 0;
  return server.Read(&byte, 1).map([](size_t) {});
}

}  // namespace glasscase::tunnel
