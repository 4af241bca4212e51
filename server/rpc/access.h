#ifndef RTMIXD_SERVER_RPC_ACCESS_H_
#define RTMIXD_SERVER_RPC_ACCESS_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/mutex.h"
#include "server/rpc/file_stamp.h"
#include "server/rpc/token_file.h"

namespace rtmixd {

// Decides, for every call and before anything of it is parsed, whether it may go on: whose bearer
// token it has, what the role of that allows, and how many calls there were lately.
//
// Without a file of tokens everyone has every role. The file is looked after once a second at most,
// by calls; one that cannot be used leaves the tokens as they were, and is logged.
//
// Threading: any thread.
class Access {
 public:
  struct Options {
    std::string token_file;                     // see token_file.h; "": everyone has every role
    int max_calls_per_second = 0;               // of one holder, or of all without a file of tokens
    std::function<absl::Duration()> monotonic;  // since some fixed moment; absent: the system's
    std::function<void(const std::string& line)> log;
  };

  // An error of ReadTokenFile.
  static absl::StatusOr<std::unique_ptr<Access>> Create(Options options);

  // `method`: full name. `authorization`: the metadata of that key, "" if there is none.
  // UNAUTHENTICATED without a known token, PERMISSION_DENIED if its role does not do,
  // RESOURCE_EXHAUSTED beyond max_calls_per_second. The text names the method, and what it needs;
  // never the token.
  absl::Status Admit(std::string_view method, std::string_view authorization)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Fills up at max_calls_per_second to a second's worth.
  struct Bucket {
    double calls = 0;
    absl::Duration filled = -absl::InfiniteDuration();
  };

  explicit Access(Options options);

  void Reload(absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  const TokenHolder* Find(std::string_view authorization) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool TakeOne(const std::string& name, absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;

  Mutex mutex_;
  std::vector<TokenHolder> holders_ ABSL_GUARDED_BY(mutex_);
  FileStamp stamp_ ABSL_GUARDED_BY(mutex_);
  absl::Duration looked_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  // By name of the holder; "" for those without a known token.
  absl::flat_hash_map<std::string, Bucket> buckets_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_ACCESS_H_
