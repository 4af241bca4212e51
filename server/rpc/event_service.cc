#include "server/rpc/event_service.h"

#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/base/error_info.h"
#include "server/rpc/call.h"
#include "server/rpc/convert_stream.h"
#include "server/rpc/convert_time.h"
#include "server/rpc/page.h"
#include "server/rpc/request_check.h"
#include "server/rpc/watch_call.h"

namespace rtmixd {
namespace {

constexpr absl::Duration kEventInterval =
    absl::Milliseconds(900);  // so that an answer comes each second
constexpr int kMaxEventsPerMessage = 500;
constexpr absl::Duration kDefaultMeterInterval = absl::Milliseconds(100);
constexpr absl::Duration kMinMeterInterval = absl::Milliseconds(20);
constexpr absl::Duration kMaxMeterInterval = absl::Seconds(10);

template <typename Request>
std::vector<EventKind> Kinds(const Request& request) {
  std::vector<EventKind> kinds;
  kinds.reserve(request.kinds_size());
  for (const int kind : request.kinds()) kinds.push_back(static_cast<EventKind>(kind));
  return kinds;
}

absl::Status CheckSequence(int64_t from_sequence) {
  if (from_sequence >= 0) return absl::OkStatus();
  return BadField("from_sequence", absl::StrCat(from_sequence), "at least 0");
}

class StreamEventsCall final : public WatchCall<v1::StreamEventsResponse> {
 public:
  StreamEventsCall(Engine& engine, int64_t from_sequence, std::vector<EventKind> kinds)
      : WatchCall(engine), from_sequence_(from_sequence), kinds_(std::move(kinds)) {}

 private:
  bool Next(v1::StreamEventsResponse* response) override {
    const bool due = due_.exchange(false);
    const EventPage page = engine().ReadEvents(from_sequence_, kinds_, kMaxEventsPerMessage);
    from_sequence_ = page.next_sequence;
    if (page.entries.empty() && page.missed == 0 && !due) return false;
    for (const LogEntry& entry : page.entries) *response->add_entries() = ToProto(entry);
    response->set_next_sequence(page.next_sequence);
    response->set_missed(page.missed);
    return true;
  }
  void OnInterval() override { due_ = true; }

  int64_t from_sequence_;  // of Next only
  const std::vector<EventKind> kinds_;
  std::atomic<bool> due_{true};
};

class StreamMetersCall final : public WatchCall<v1::StreamMetersResponse> {
 public:
  StreamMetersCall(Engine& engine, int64_t cursor_frame)
      : WatchCall(engine), cursor_frame_(cursor_frame) {}

 private:
  bool Next(v1::StreamMetersResponse* response) override {
    if (!due_.exchange(false)) return false;
    *response = ToProto(engine().ReadMeters(&cursor_frame_));
    return true;
  }
  void OnInterval() override { due_ = true; }

  int64_t cursor_frame_;  // of Next only
  std::atomic<bool> due_{false};
};

}  // namespace

grpc::ServerUnaryReactor* EventService::ListEvents(grpc::CallbackServerContext* context,
                                                   const v1::ListEventsRequest* request,
                                                   v1::ListEventsResponse* response) {
  absl::Status status = CheckRequest(*request);
  if (status.ok()) status = CheckSequence(request->from_sequence());
  if (status.ok() && (request->page_size() < 0 || request->page_size() > Page::kMaxSize)) {
    status = BadField("page_size", absl::StrCat(request->page_size()),
                      absl::StrCat("0 to ", Page::kMaxSize));
  }
  if (!status.ok()) return Reply(context, status);
  const EventPage page =
      engine_.ReadEvents(request->from_sequence(), Kinds(*request),
                         request->page_size() == 0 ? Page::kDefaultSize : request->page_size());
  for (const LogEntry& entry : page.entries) *response->add_entries() = ToProto(entry);
  response->set_next_sequence(page.next_sequence);
  response->set_missed(page.missed);
  return Reply(context, absl::OkStatus());
}

grpc::ServerWriteReactor<v1::StreamEventsResponse>* EventService::StreamEvents(
    grpc::CallbackServerContext* /*context*/, const v1::StreamEventsRequest* request) {
  absl::Status status = CheckRequest(*request);
  if (status.ok()) status = CheckSequence(request->from_sequence());
  const int64_t from =
      request->has_from_sequence() ? request->from_sequence() : engine_.next_event_sequence();
  auto* call =
      new StreamEventsCall(engine_, from, status.ok() ? Kinds(*request) : std::vector<EventKind>());
  call->Begin(status, kEventInterval);
  return call;
}

grpc::ServerWriteReactor<v1::StreamMetersResponse>* EventService::StreamMeters(
    grpc::CallbackServerContext* /*context*/, const v1::StreamMetersRequest* request) {
  absl::Status status = CheckRequest(*request);
  absl::StatusOr<absl::Duration> interval = kDefaultMeterInterval;
  if (status.ok() && request->has_interval()) {
    interval = FromProto(request->interval(), "interval", kMinMeterInterval, kMaxMeterInterval);
    status = interval.status();
  }
  auto* call = new StreamMetersCall(engine_, engine_.GetStream().next_frame);
  call->Begin(status, interval.value_or(kDefaultMeterInterval));
  return call;
}

}  // namespace rtmixd
