#ifndef RTMIXD_SERVER_SERVER_H_
#define RTMIXD_SERVER_SERVER_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/control/engine.h"
#include "server/rpc/tls_files.h"
#include "server/spool/spool.h"

namespace rtmixd {

// A whole server: an engine and the gRPC services over it, listening on one address.
//
// Threading: Create, Stop and the destructor by one thread. gRPC brings its own threads: those of
// its callbacks, and a bounded few for the reflection service, which is synchronous.
class Server {
 public:
  struct Options {
    std::string listen_address = "127.0.0.1:47110";  // HOST:PORT; port 0 takes a free one
    // Where calibrations last, see rpc/calibration_file.h; "": nowhere.
    std::string calibration_file;
    // Where recordings are kept as they come; absent: in memory alone.
    std::optional<Spool::Options> spool;
    std::string token_file;          // see rpc/token_file.h; "": everyone may do everything
    std::optional<TlsMaterial> tls;  // absent: plain text
    bool insecure = false;           // plain text also where other hosts can reach it
    // What whoever runs the server should know while it does; absent: nobody is told.
    std::function<void(const std::string& line)> log;
    Engine::Options engine;
  };

  // Starts the engine and listens. UNAVAILABLE if the address cannot be had, FAILED_PRECONDITION if
  // other hosts could reach it and there is neither TLS nor `insecure`, another error if one of the
  // files cannot be used or the spool not be had. A default stream that cannot be opened is no
  // error: `device_status` tells.
  static absl::StatusOr<std::unique_ptr<Server>> Create(const Options& options,
                                                        std::unique_ptr<AudioDevice> device);
  virtual ~Server() = default;  // stops without grace

  // HOST:PORT with the real port.
  virtual const std::string& address() const = 0;
  virtual Engine& engine() = 0;
  // What became of the default stream.
  virtual const absl::Status& device_status() const = 0;

  // Graceful stop: refuses new work, lets what runs finish for up to `grace`, ends every call with
  // a reason, and returns when all are over. `hurry`, if it becomes true meanwhile, ends the grace.
  virtual void Stop(absl::Duration grace, const std::function<bool()>& hurry) = 0;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_SERVER_H_
