#include "tests/integration/two_hosts.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace rtmixd {
namespace {

std::string Subnet(const char* address) { return absl::StrCat(address, "/24"); }

}  // namespace

const NetworkNamespace* TwoHostsTest::server_host_ = nullptr;
const NetworkNamespace* TwoHostsTest::client_host_ = nullptr;

void TwoHostsTest::SetUpTestSuite() {
  if (server_host_ != nullptr) return;
  auto server_host = NetworkNamespace::Create();
  ASSERT_TRUE(server_host.ok()) << server_host.status();
  auto client_host = NetworkNamespace::Create();
  ASSERT_TRUE(client_host.ok()) << client_host.status();
  ASSERT_TRUE((*client_host)->Enter().ok());
  server_host_ = server_host->release();
  client_host_ = client_host->release();
}

void TwoHostsTest::ConnectDirectly() {
  auto veth = VethPair::Create(*server_host_, Subnet(kServerAddress), *client_host_,
                               Subnet(kClientAddress));
  ASSERT_TRUE(veth.ok()) << veth.status();
  veth_ = *std::move(veth);
}

void TwoHostsTest::ConnectByRelay(const PacketRelay::Options& options) {
  auto relay = PacketRelay::Create(*server_host_, Subnet(kServerAddress), *client_host_,
                                   Subnet(kClientAddress), options);
  ASSERT_TRUE(relay.ok()) << relay.status();
  relay_ = *std::move(relay);
}

void TwoHostsTest::StartServer(std::vector<std::string> flags) {
  flags.insert(flags.end(), {"--device", "virtual"});
  const ScopedNetworkNamespace inside(*server_host_);
  auto server = ServerProcess::Start(flags, kServerAddress);
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
}

}  // namespace rtmixd
