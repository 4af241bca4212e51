#ifndef RTMIXD_TESTS_SUPPORT_TCP_RELAY_H_
#define RTMIXD_TESTS_SUPPORT_TCP_RELAY_H_

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace rtmixd {

// A port of this host that leads to a server on another port of it. Exists so that a test can cut
// connections at a byte that it chooses, and knows how many bytes were carried.
//
// Threading: any thread; each connection is carried by two threads of its own.
class TcpRelay {
 public:
  enum class Way { kToServer, kToClient };

  // `server` is like "127.0.0.1:47110".
  static absl::StatusOr<std::unique_ptr<TcpRelay>> Start(const std::string& server);

  TcpRelay(const TcpRelay&) = delete;
  TcpRelay& operator=(const TcpRelay&) = delete;
  // Cuts all connections.
  ~TcpRelay();

  // Where clients connect to.
  const std::string& target() const { return target_; }
  // Cuts the connection that carries the last of so many bytes this way, as soon as it has, and
  // then the one that carries the last of the next so many. Bytes carried before do not count.
  void CutAfter(Way way, std::vector<int64_t> bytes);
  // Whether the server hears of a cut, as it does by default. False: the client alone does; the
  // server keeps the connection, on which nothing comes any more, until this is true again.
  void TellServer(bool told);
  // Connections cut so far.
  int cuts() const { return cuts_; }
  int64_t carried_bytes(Way way) const;

 private:
  struct Connection {
    int client_fd = -1;
    int server_fd = -1;
    std::thread to_server;
    std::thread to_client;
  };
  struct Traffic {
    int64_t carried = 0;
    int64_t counted_from = 0;
    std::vector<int64_t> cuts;  // those to come
  };

  TcpRelay(int listen_fd, int listen_port, int server_port);
  void Accept();
  void Carry(const Connection& connection, Way way);
  // How many of `bytes` are still carried; `*cut`: and then no more.
  int64_t Admit(Way way, int64_t bytes, bool* cut) ABSL_LOCKS_EXCLUDED(mu_);
  Traffic& traffic(Way way) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return way == Way::kToServer ? to_server_ : to_client_;
  }

  const int listen_fd_;
  const int server_port_;
  const std::string target_;
  std::atomic<int> cuts_{0};

  mutable absl::Mutex mu_;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  bool server_told_ ABSL_GUARDED_BY(mu_) = true;
  Traffic to_server_ ABSL_GUARDED_BY(mu_);
  Traffic to_client_ ABSL_GUARDED_BY(mu_);
  std::list<Connection> connections_ ABSL_GUARDED_BY(mu_);
  std::thread acceptor_;
};

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_SUPPORT_TCP_RELAY_H_
