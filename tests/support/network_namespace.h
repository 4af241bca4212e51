#ifndef RTMIXD_TESTS_SUPPORT_NETWORK_NAMESPACE_H_
#define RTMIXD_TESTS_SUPPORT_NETWORK_NAMESPACE_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace rtmixd {

// A host as far as the network can tell: a network namespace with nothing but its own loopback. It
// has no name in the file system and goes with the last descriptor and thread in it, so that a test
// that is killed leaves none behind. Needs root.
//
// Threading: any thread. A thread that is in a namespace passes it on to the threads and processes
// that it starts.
class NetworkNamespace {
 public:
  static absl::StatusOr<std::unique_ptr<NetworkNamespace>> Create();

  NetworkNamespace(const NetworkNamespace&) = delete;
  NetworkNamespace& operator=(const NetworkNamespace&) = delete;
  ~NetworkNamespace();

  // Puts the calling thread into it for good.
  absl::Status Enter() const;
  // What `ip link set ... netns` takes for it.
  std::string path() const;

 private:
  explicit NetworkNamespace(int fd) : fd_(fd) {}

  const int fd_;
};

// Puts the calling thread into a namespace while it lives.
class ScopedNetworkNamespace {
 public:
  explicit ScopedNetworkNamespace(const NetworkNamespace& network);
  ScopedNetworkNamespace(const ScopedNetworkNamespace&) = delete;
  ScopedNetworkNamespace& operator=(const ScopedNetworkNamespace&) = delete;
  ~ScopedNetworkNamespace();

 private:
  const int before_;
};

// A cable between two hosts, there until the destructor. The hosts outlive it. Host a has only one
// at a time, b any number.
class VethPair {
 public:
  // `address` is like "10.1.0.1/24".
  static absl::StatusOr<std::unique_ptr<VethPair>> Create(const NetworkNamespace& a,
                                                          const std::string& address_a,
                                                          const NetworkNamespace& b,
                                                          const std::string& address_b);

  VethPair(const VethPair&) = delete;
  VethPair& operator=(const VethPair&) = delete;
  ~VethPair();

 private:
  explicit VethPair(const NetworkNamespace& a) : a_(a) {}

  const NetworkNamespace& a_;
};

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_SUPPORT_NETWORK_NAMESPACE_H_
