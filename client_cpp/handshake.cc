#include "client_cpp/handshake.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace rtmixd::client {
namespace {

struct HostPort {
  std::string host;
  std::string port;
};

// Of "rig7:47110", "[::1]:47110" and "dns:///rig7:47110"; empty for anything else.
HostPort Split(absl::string_view target) {
  absl::ConsumePrefix(&target, "dns:");
  absl::ConsumePrefix(&target, "///");
  const size_t colon = target.rfind(':');
  if (colon == absl::string_view::npos || absl::StrContains(target, "/")) return {};
  absl::string_view host = target.substr(0, colon);
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  return {std::string(host), std::string(target.substr(colon + 1))};
}

// A connected socket that waits no longer than `timeout` for anything; -1 if there is none to be
// had.
int Connect(const HostPort& to, absl::Duration timeout) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* resolved = nullptr;
  if (getaddrinfo(to.host.c_str(), to.port.c_str(), &hints, &resolved) != 0) return -1;
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> all(resolved, freeaddrinfo);
  for (const addrinfo* one = all.get(); one != nullptr; one = one->ai_next) {
    const int fd = socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) continue;
    const timeval limit = absl::ToTimeval(timeout);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (connect(fd, one->ai_addr, one->ai_addrlen) == 0) return fd;
    close(fd);
  }
  return -1;
}

// While it lives, a connection that the other side closed is no reason for SIGPIPE, which OpenSSL
// does not prevent.
class WithoutSigpipe {
 public:
  WithoutSigpipe() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  WithoutSigpipe(const WithoutSigpipe&) = delete;
  WithoutSigpipe& operator=(const WithoutSigpipe&) = delete;
  ~WithoutSigpipe() {
    const timespec at_once{};
    if (sigismember(&before_, SIGPIPE) == 0) sigtimedwait(&pipe_, nullptr, &at_once);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t pipe_{};
  sigset_t before_{};
};

// What verification found, in words.
std::string Certificate(int64_t result, const std::string& host, const Security& security) {
  switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "the server's certificate has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "the server's certificate is not valid yet; is the clock of this host right?";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return absl::StrCat("the server's certificate is not for ", host);
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return absl::StrCat("the server's certificate is not of a CA in ", security.ca);
    default:
      return absl::StrCat("the server's certificate is refused: ",
                          X509_verify_cert_error_string(result));
  }
}

// Why a server does not want a client.
std::string OwnCertificate(const Security& security) {
  if (security.cert.empty()) {
    return "the server wants a certificate of its clients: give one and its key";
  }
  return absl::StrCat("the server does not accept the client's certificate in ", security.cert,
                      ": it is not of a CA that it trusts, or has expired");
}

// What the other side, or its lack of TLS, made of it.
std::string Alert(int reason, const Security& security) {
  switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
      return "the server speaks plain text, not TLS: do without a CA, or start it with --tls-cert";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
      return OwnCertificate(security);
    default:
      return "";
  }
}

}  // namespace

std::string ExplainHandshake(const std::string& target, const Security& security,
                             absl::Duration timeout) {
  const HostPort to = Split(target);
  if (to.host.empty()) return "";
  const int fd = Connect(to, timeout);
  if (fd < 0) return "";
  const std::unique_ptr<const int, void (*)(const int*)> closer(&fd,
                                                                [](const int* f) { close(*f); });
  const WithoutSigpipe without_sigpipe;
  ERR_clear_error();
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                  &SSL_CTX_free);
  const bool with_tls = !security.ca.empty();
  if (with_tls) {
    SSL_CTX_load_verify_locations(context.get(), security.ca.c_str(), nullptr);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  }
  if (!security.cert.empty() &&
      (SSL_CTX_use_certificate_chain_file(context.get(), security.cert.c_str()) != 1 ||
       SSL_CTX_use_PrivateKey_file(context.get(), security.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
       SSL_CTX_check_private_key(context.get()) != 1)) {
    ERR_clear_error();
    return absl::StrCat(security.key, " is not the key of the certificate in ", security.cert);
  }
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context.get()), &SSL_free);
  constexpr std::array<unsigned char, 3> kHttp2 = {2, 'h', '2'};
  SSL_set_alpn_protos(ssl.get(), kHttp2.data(), kHttp2.size());
  in6_addr address{};
  if (inet_pton(AF_INET, to.host.c_str(), &address) == 1 ||
      inet_pton(AF_INET6, to.host.c_str(), &address) == 1) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), to.host.c_str());
  } else {
    SSL_set_tlsext_host_name(ssl.get(), to.host.c_str());
    SSL_set1_host(ssl.get(), to.host.c_str());
  }
  SSL_set_fd(ssl.get(), fd);
  const bool shaken = SSL_connect(ssl.get()) == 1;
  if (!with_tls) {
    // Whatever it wants of us, it understood the question.
    const bool speaks_tls = shaken || SSL_get0_peer_certificate(ssl.get()) != nullptr;
    ERR_clear_error();
    return speaks_tls ? "the server speaks TLS: give the CA of its certificate" : "";
  }
  if (!shaken && SSL_get_verify_result(ssl.get()) != X509_V_OK) {
    ERR_clear_error();
    return Certificate(SSL_get_verify_result(ssl.get()), to.host, security);
  }
  // With TLS 1.3 what the server thinks of us comes behind the handshake.
  if (shaken) {
    char byte = 0;
    const int got = SSL_read(ssl.get(), &byte, 1);
    if (got == 1 || SSL_get_error(ssl.get(), got) == SSL_ERROR_WANT_READ) return "";
  }
  const int reason = ERR_GET_REASON(ERR_peek_last_error());
  ERR_clear_error();
  const std::string alert = Alert(reason, security);
  // gRPC's servers hang up without an alert on those whose certificate they do not want.
  return alert.empty() && shaken ? OwnCertificate(security) : alert;
}

}  // namespace rtmixd::client
