#ifndef RTMIXD_TESTS_INTEGRATION_TWO_HOSTS_H_
#define RTMIXD_TESTS_INTEGRATION_TWO_HOSTS_H_

#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/integration/server_process.h"
#include "tests/support/network_namespace.h"
#include "tests/support/packet_relay.h"

namespace rtmixd {

// A test with two hosts: the server runs on one, and this process and its other children are on the
// other. They stay the same for all tests of the program, since gRPC keeps its threads; each test
// joins them by a cable of its own, which goes when the test ends.
//
// Needs root; fails without it.
class TwoHostsTest : public testing::Test {
 protected:
  static constexpr char kServerAddress[] = "10.73.0.1";
  static constexpr char kClientAddress[] = "10.73.0.2";

  // Makes the hosts and goes to the client's: before there are threads.
  static void SetUpTestSuite();

  // Joins the hosts by a veth pair, or by a cable with a delay.
  void ConnectDirectly();
  void ConnectByRelay(const PacketRelay::Options& options);
  // Starts the server on its host, with the virtual device.
  void StartServer(std::vector<std::string> flags = {});

  PacketRelay& relay() { return *relay_; }
  ServerProcess& server() { return *server_; }

  static const NetworkNamespace& server_host() { return *server_host_; }

 private:
  // Never freed: gRPC's threads are in them to the end.
  static const NetworkNamespace* server_host_;
  static const NetworkNamespace* client_host_;

  std::unique_ptr<VethPair> veth_;
  std::unique_ptr<PacketRelay> relay_;
  std::unique_ptr<ServerProcess> server_;
};

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_INTEGRATION_TWO_HOSTS_H_
