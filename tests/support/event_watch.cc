#include "tests/support/event_watch.h"

#include <grpcpp/grpcpp.h>

#include "client_cpp/error.h"

namespace rtmixd {

absl::StatusOr<std::vector<v1::LogEntry>> AwaitEvents(
    client::Client& client, const std::vector<v1::EventKind>& kinds,
    const std::function<bool(const std::vector<v1::LogEntry>&)>& enough, absl::Duration timeout) {
  grpc::ClientContext context;
  client::Client::Prepare("", timeout, context);
  context.set_wait_for_ready(true);  // the connection may just be made anew
  v1::StreamEventsRequest request;
  request.set_from_sequence(1);
  for (const v1::EventKind kind : kinds) request.add_kinds(kind);
  const auto stubs = client.stubs();
  const auto reader = stubs->events->StreamEvents(&context, request);
  std::vector<v1::LogEntry> events;
  v1::StreamEventsResponse response;
  while (reader->Read(&response)) {
    events.insert(events.end(), response.entries().begin(), response.entries().end());
    if (enough(events)) {
      context.TryCancel();
      reader->Finish();
      return events;
    }
  }
  const absl::Status status = client::FromGrpc(reader->Finish());
  return status.ok() ? absl::UnavailableError("the server tells of no more events") : status;
}

absl::Status AwaitFrame(client::Client& client, int64_t frame, absl::Duration timeout) {
  grpc::ClientContext context;
  client::Client::Prepare("", timeout, context);
  context.set_wait_for_ready(true);  // the connection may just be made anew
  const auto stubs = client.stubs();
  const auto reader = stubs->clock->StreamClock(&context, v1::StreamClockRequest());
  v1::StreamClockResponse response;
  while (reader->Read(&response)) {
    if (response.reading().next_frame() >= frame) {
      context.TryCancel();
      reader->Finish();
      return absl::OkStatus();
    }
  }
  const absl::Status status = client::FromGrpc(reader->Finish());
  return status.ok() ? absl::UnavailableError("the server tells no more time") : status;
}

}  // namespace rtmixd
