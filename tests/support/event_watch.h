#ifndef RTMIXD_TESTS_SUPPORT_EVENT_WATCH_H_
#define RTMIXD_TESTS_SUPPORT_EVENT_WATCH_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client_cpp/client.h"
#include "rtmixd/v1/event.pb.h"

// Waiting for what happens on a server, by what it tells of itself: nobody asks again and again.
//
// Threading: functions without state.
namespace rtmixd {

// Follows the server's event log from its beginning until `enough` is true of its events of these
// kinds, which are then returned. DEADLINE_EXCEEDED if it does not become true in time.
absl::StatusOr<std::vector<v1::LogEntry>> AwaitEvents(
    client::Client& client, const std::vector<v1::EventKind>& kinds,
    const std::function<bool(const std::vector<v1::LogEntry>&)>& enough, absl::Duration timeout);

// Waits until the stream has come to a frame.
absl::Status AwaitFrame(client::Client& client, int64_t frame, absl::Duration timeout);

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_SUPPORT_EVENT_WATCH_H_
