#include "tests/integration/server_process.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"

namespace rtmixd {
namespace {

// Listing the devices of a host may take a while.
constexpr absl::Duration kStartTime = absl::Seconds(30);

}  // namespace

absl::StatusOr<std::unique_ptr<ServerProcess>> ServerProcess::Start(
    const std::vector<std::string>& flags, const std::string& host, int port,
    const std::string& program) {
  std::vector<std::string> argv = {program, "--insecure", "--listen",
                                   absl::StrCat(host, ":", port)};
  argv.insert(argv.end(), flags.begin(), flags.end());
  auto process = ChildProcess::Start(argv);
  if (!process.ok()) return process.status();
  const auto line = (*process)->ReadLine(kStartTime);
  if (!line.ok()) return line.status();
  absl::string_view target = *line;
  if (!absl::ConsumePrefix(&target, "listening on ")) {
    return absl::InternalError(absl::StrCat("the server says: ", *line));
  }
  return std::unique_ptr<ServerProcess>(
      new ServerProcess(*std::move(process), std::string(target)));
}

absl::StatusOr<std::vector<v1::LogEntry>> ReadEvents(client::Client& client) {
  std::vector<v1::LogEntry> events;
  v1::ListEventsRequest request;
  request.set_page_size(1000);
  while (true) {
    const auto page =
        client.Call(&client::Stubs::events, &v1::EventService::Stub::ListEvents, request, {});
    if (!page.ok()) return page.status();
    if (page->entries().empty()) return events;
    events.insert(events.end(), page->entries().begin(), page->entries().end());
    request.set_from_sequence(page->next_sequence());
  }
}

std::vector<v1::LogEntry> EventsOf(const std::vector<v1::LogEntry>& events, v1::EventKind kind,
                                   const std::string& action_id) {
  std::vector<v1::LogEntry> chosen;
  for (const v1::LogEntry& event : events) {
    if (event.kind() != kind) continue;
    if (action_id.empty() || event.action_id() == action_id) chosen.push_back(event);
  }
  return chosen;
}

absl::StatusOr<v1::AudioStream> GetStream(client::Client& client) {
  auto response = client.Call(&client::Stubs::stream, &v1::StreamService::Stub::GetStream,
                              v1::GetStreamRequest(), {});
  if (!response.ok()) return response.status();
  return response->stream();
}

}  // namespace rtmixd
