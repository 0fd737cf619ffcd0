#include <glasscase/tunnel/tls.h>

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <glasscase/crypto/random.h>
#include <glasscase/process/frame_socket.h>

namespace glasscase::tunnel {
namespace {

using testing::HasSubstr;

Secret NewKey() {
  SystemRandom random;
  return EcdsaPrivateKey::Generate(Curve::kP256, random).Pem();
}

TlsIdentity NewIdentity() { return TlsIdentity::FromKey(NewKey()).value(); }

Trust Only(const Pin& wanted) {
  return [wanted](const Pin& pin) -> Status {
    if (pin == wanted) return Ok();
    return Fail(Error(Code::kUnauthenticated, "it is a stranger"));
  };
}
Status Anybody(const Pin&) { return Ok(); }

struct Ends {
  TlsStream client;
  TlsStream server;
};
Ends Connect(const TlsIdentity& client, Trust of_client, const TlsIdentity& server, Trust of_server) {
  auto pair = process::MakeSocketPair().value();
  return {.client = TlsStream::Connect(client, std::move(pair.first), std::move(of_client)).value(),
          .server = TlsStream::Accept(server, std::move(pair.second), std::move(of_server)).value()};
}

// What each end says of the other; empty where it agrees.
struct Said {
  std::string client, server;
};
Said ShakeHands(Ends& ends) {
  Said said;
  bool client = false;
  bool server = false;
  for (int round = 0; round < 20 && !(client && server); ++round) {
    if (!client) {
      const auto done = ends.client.ShakeHands();
      client = !done || *done;
      if (!done) said.client = done.error().message();
    }
    if (!server) {
      const auto done = ends.server.ShakeHands();
      server = !done || *done;
      if (!done) said.server = done.error().message();
    }
  }
  char byte = 0;
  const auto read = ends.client.Read(&byte, 1);
  if (said.client.empty() && !read) said.client = read.error().message();
  return said;
}

// A certificate for the key that was valid from and until then, in seconds from now.
std::string Certificate(const Secret& key_pem, long from, long until) {
  const std::string_view text = key_pem.Reveal(RevealToken());
  BIO* const in = BIO_new_mem_buf(text.data(), static_cast<int>(text.size()));
  EVP_PKEY* const key = PEM_read_bio_PrivateKey(in, nullptr, nullptr, nullptr);
  X509* const certificate = X509_new();
  X509_gmtime_adj(X509_getm_notBefore(certificate), from);
  X509_gmtime_adj(X509_getm_notAfter(certificate), until);
  X509_set_pubkey(certificate, key);
  X509_sign(certificate, key, EVP_sha256());
  BIO* const out = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(out, certificate);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out, &data);
  std::string pem(data, static_cast<size_t>(size));
  BIO_free(in);
  BIO_free(out);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return pem;
}

TEST(Tls, TwoThatKnowEachOthersPinsSpeak) {
  const TlsIdentity client = NewIdentity();
  const TlsIdentity server = NewIdentity();
  Ends ends = Connect(client, Only(server.pin()), server, Only(client.pin()));
  const Said said = ShakeHands(ends);
  EXPECT_EQ(said.client, "");
  EXPECT_EQ(said.server, "");
  EXPECT_EQ(ends.client.peer(), server.pin());
  EXPECT_EQ(ends.server.peer(), client.pin());
  ASSERT_EQ(ends.client.Write("hello").value(), 5U);
  char text[8] = {};
  EXPECT_EQ(ends.server.Read(text, sizeof text).value(), 5U);
  EXPECT_STREQ(text, "hello");
  EXPECT_EQ(ends.server.Read(text, sizeof text).value(), 0U);
  ends.client.Close();
  EXPECT_THAT(ends.server.Read(text, sizeof text).error().message(), HasSubstr("closed the connection"));
}

TEST(Tls, ThePinIsThatOfTheKey) {
  const Secret key = NewKey();
  EXPECT_EQ(TlsIdentity::FromKey(key)->pin(), PinOf(EcdsaPrivateKey::FromPem(key)->public_key()));
}

TEST(Tls, AStrangerIsRefusedAndBothEndsSayWhy) {
  const TlsIdentity client = NewIdentity();
  const TlsIdentity server = NewIdentity();
  Ends ends = Connect(client, Anybody, server, Only(server.pin()));
  const Said said = ShakeHands(ends);
  EXPECT_EQ(said.server, "it is a stranger");
  EXPECT_EQ(said.client, "the other end does not know this key");
}

TEST(Tls, AServerThatIsAStrangerIsRefusedByTheClient) {
  const TlsIdentity client = NewIdentity();
  const TlsIdentity server = NewIdentity();
  Ends ends = Connect(client, Only(client.pin()), server, Anybody);
  EXPECT_EQ(ShakeHands(ends).client, "it is a stranger");
}

TEST(Tls, CertificatesOfOtherTimesAreRefusedHoweverWellTheKeyIsKnown) {
  const TlsIdentity server = NewIdentity();
  const Secret key = NewKey();
  for (const auto& [from, until, words] :
       {std::tuple(-7200L, -3600L, "has expired"), {3600L, 7200L, "is not valid yet"}}) {
    const auto client = TlsIdentity::FromKeyAndCertificate(key, Certificate(key, from, until));
    ASSERT_TRUE(client);
    Ends ends = Connect(*client, Anybody, server, Only(client->pin()));
    EXPECT_THAT(ShakeHands(ends).server, HasSubstr(words));
  }
}

TEST(Tls, ACertificateWithAnothersKeyIsNoIdentity) {
  EXPECT_FALSE(TlsIdentity::FromKeyAndCertificate(NewKey(), Certificate(NewKey(), -10, 10)));
}

TEST(Tls, OlderVersionsAndWhatIsNoTlsAreRefused) {
  const TlsIdentity server = NewIdentity();
  for (const auto& [bytes, words] :
       {std::pair(std::string("GET / HTTP/1.1\r\n\r\n"), "does not speak TLS"),
        {std::string("\xff\xfe\xfd\xfc\xfb\xfa") + std::string(100, 'x'), "does not speak TLS"}}) {
    auto pair = process::MakeSocketPair().value();
    auto stream = TlsStream::Accept(server, std::move(pair.second), Anybody).value();
    ASSERT_GT(::send(pair.first.get(), bytes.data(), bytes.size(), 0), 0);
    const auto done = stream.ShakeHands();
    ASSERT_FALSE(done);
    EXPECT_THAT(done.error().message(), HasSubstr(words));
  }
  SSL_CTX* const old = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_max_proto_version(old, TLS1_2_VERSION);
  SSL* const client = SSL_new(old);
  auto pair = process::MakeSocketPair().value();
  ::fcntl(pair.first.get(), F_SETFL, O_NONBLOCK);
  SSL_set_fd(client, pair.first.get());
  auto stream = TlsStream::Accept(server, std::move(pair.second), Anybody).value();
  SSL_connect(client);
  const auto done = stream.ShakeHands();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message(), "it speaks an older TLS than 1.3");
  SSL_free(client);
  SSL_CTX_free(old);
}

TEST(Tls, WithoutACertificateOrTheProtocolNobodyComesIn) {
  const TlsIdentity server = NewIdentity();
  const std::string protocol("\x12glasscase-worker/1");
  for (const auto& [name, words] : {std::pair(protocol, "it showed no certificate"),
                                    {std::string("\x02h2"), "it is no worker of this version"}}) {
    SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
    SSL* const client = SSL_new(context);
    SSL_set_alpn_protos(client, reinterpret_cast<const unsigned char*>(name.data()),
                        static_cast<unsigned>(name.size()));
    auto pair = process::MakeSocketPair().value();
    ::fcntl(pair.first.get(), F_SETFL, O_NONBLOCK);
    SSL_set_fd(client, pair.first.get());
    auto stream = TlsStream::Accept(server, std::move(pair.second), Anybody).value();
    std::string said;
    for (int round = 0; round < 10 && said.empty(); ++round) {
      SSL_do_handshake(client);
      SSL_connect(client);
      const auto done = stream.ShakeHands();
      if (!done) said = done.error().message();
    }
    EXPECT_EQ(said, words);
    SSL_free(client);
    SSL_CTX_free(context);
  }
}

TEST(Tls, OnlyKeysOfTheirKindAreTaken) {
  SystemRandom random;
  EXPECT_FALSE(TlsIdentity::FromKey(Secret("nothing")));
  EXPECT_FALSE(TlsIdentity::FromKey(EcdsaPrivateKey::Generate(Curve::kP384, random).Pem()));
}

TEST(Tls, WarmsUp) { EXPECT_TRUE(WarmUpTls()); }

}  // namespace
}  // namespace glasscase::tunnel
