#include "client_cpp/security.h"

#include <grpcpp/support/client_interceptor.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace rtmixd::client {
namespace {

using grpc::experimental::ClientInterceptorFactoryInterface;
using grpc::experimental::ClientRpcInfo;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;

// Puts the token into a call.
class TokenBearer final : public Interceptor {
 public:
  explicit TokenBearer(const std::string& authorization) : authorization_(authorization) {}

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(
            grpc::experimental::InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      methods->GetSendInitialMetadata()->emplace("authorization", authorization_);
    }
    methods->Proceed();
  }

 private:
  const std::string& authorization_;
};

// The one place that every call of a channel comes through; gRPC has no other for plain text.
class TokenBearers final : public ClientInterceptorFactoryInterface {
 public:
  explicit TokenBearers(const std::string& token)
      : authorization_(absl::StrCat("Bearer ", token)) {}

  Interceptor* CreateClientInterceptor(ClientRpcInfo* /*info*/) override {
    return new TokenBearer(authorization_);  // gRPC deletes it
  }

 private:
  const std::string authorization_;
};

absl::StatusOr<std::string> Read(const std::string& path, const char* what) {
  if (path.empty()) return std::string();
  std::ifstream file(path);
  std::stringstream content;
  if (!file || !(content << file.rdbuf())) {
    return absl::InvalidArgumentError(absl::StrCat("cannot read the ", what, " in ", path, ": ",
                                                   errno != 0 ? std::strerror(errno) : "empty"));
  }
  return content.str();
}

absl::StatusOr<std::string> ReadToken(const std::string& path) {
  auto content = Read(path, "token");
  if (!content.ok()) return content;
  std::string token(
      absl::StripAsciiWhitespace(absl::string_view(*content).substr(0, content->find('\n'))));
  if (token.empty() || !std::all_of(token.begin(), token.end(), absl::ascii_isgraph)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the first line of ", path, " is no token: it must be printable, without blanks"));
  }
  return token;
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(
    const std::string& target, const Security& security, const grpc::ChannelArguments& arguments) {
  if (security.cert.empty() != security.key.empty()) {
    return absl::InvalidArgumentError("a certificate and its key belong together: give both");
  }
  if (!security.cert.empty() && security.ca.empty()) {
    return absl::InvalidArgumentError(
        "a certificate is for TLS: give also the CA of the server's certificate");
  }
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (!security.ca.empty()) {
    auto ca = Read(security.ca, "certificates of the CA");
    if (!ca.ok()) return ca.status();
    auto cert = Read(security.cert, "certificate");
    if (!cert.ok()) return cert.status();
    auto key = Read(security.key, "key");
    if (!key.ok()) return key.status();
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = *std::move(ca);
    options.pem_cert_chain = *std::move(cert);
    options.pem_private_key = *std::move(key);
    credentials = grpc::SslCredentials(options);
  }
  if (security.token_file.empty()) return grpc::CreateCustomChannel(target, credentials, arguments);
  auto token = ReadToken(security.token_file);
  if (!token.ok()) return token.status();
  std::vector<std::unique_ptr<ClientInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(std::make_unique<TokenBearers>(*token));
  return grpc::experimental::CreateCustomChannelWithInterceptors(target, credentials, arguments,
                                                                 std::move(interceptors));
}

}  // namespace rtmixd::client
