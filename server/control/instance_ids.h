#ifndef RTMIXD_SERVER_CONTROL_INSTANCE_IDS_H_
#define RTMIXD_SERVER_CONTROL_INSTANCE_IDS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace rtmixd {

// Ids that no other run of the server gives: "a-17.5f3c9a" is the 17th action of the run whose
// instance id begins with 5f3c9a. So nothing of an earlier run is ever taken for something of this
// one, and who asks for it is told why it is gone.
//
// Threading: immutable.
class InstanceIds {
 public:
  // Of no run in particular: "a-17".
  InstanceIds() = default;
  explicit InstanceIds(std::string_view instance_id);

  std::string Make(char kind, int64_t number) const;
  // The number in an id that Make gave for the kind; absent for anything else.
  std::optional<int64_t> NumberOf(char kind, std::string_view id) const;
  // What ids and tokens of this run end with.
  const std::string& suffix() const { return suffix_; }
  // Whether an id or a token ends as one of another run does.
  bool IsForeign(std::string_view id) const;
  // NOT_FOUND for an id that is not there: "buffer_id b-17.5f3c9a: no such buffer", and that the
  // server was restarted if it is an earlier run's.
  absl::Status NotFound(const std::string& field, const std::string& id,
                        const std::string& what) const;

 private:
  std::string suffix_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_INSTANCE_IDS_H_
