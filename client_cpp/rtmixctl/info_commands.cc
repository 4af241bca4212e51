#include <cstdio>
#include <memory>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "client_cpp/duration.h"
#include "client_cpp/rtmixctl/commands.h"
#include "client_cpp/rtmixctl/follow.h"
#include "client_cpp/rtmixctl/interrupt.h"
#include "client_cpp/rtmixctl/json.h"
#include "client_cpp/rtmixctl/report_text.h"

namespace rtmixd::rtmixctl {
namespace {

using client::Stubs;

std::string DescribeClock(const v1::ClockReading& reading) {
  if (reading.stream_id().empty()) return "clock: no stream is open\n";
  const std::string wall_clock =
      reading.wall_clock_synchronized()
          ? absl::StrFormat("the host says that its wall clock is right to %.3f ms",
                            reading.wall_clock_max_error_seconds() * 1e3)
          : "nothing keeps the wall clock of the host";
  return absl::StrFormat(
      "clock of stream %s: frame %.1f +-%.1f, %.6f s, %s\n"
      "  %.4f Hz +-%.2f ppm measured%s, next frame %d\n"
      "  %s\n",
      reading.stream_id(), reading.frame(), reading.uncertainty_frames(),
      reading.stream_time_seconds(), reading.running() ? "running" : "standing still",
      reading.rate_hz(), reading.rate_uncertainty_ppm(),
      reading.locked() ? "" : " (not locked yet)", reading.next_frame(), wall_clock);
}

absl::StatusOr<v1::GetClockResponse> GetClock(client::Client& client) {
  return client.Call(&Stubs::clock, &v1::ClockService::Stub::GetClock, v1::GetClockRequest(),
                     {.retry = true});
}

absl::StatusOr<ExitCode> Status(Context& context) {
  auto client = context.Connect();
  if (!client.ok()) return client.status();
  auto stream = context.Stream();
  if (!stream.ok()) return stream.status();
  auto clock = GetClock(**client);
  if (!clock.ok()) return clock.status();
  const v1::GetServerInfoResponse& info = (*client)->info();
  if (context.json()) {
    std::fputs(
        ToJson({{"server", &info}, {"stream", &*stream}, {"clock", &clock->reading()}}).c_str(),
        stdout);
    return ExitCode::kOk;
  }
  std::printf("server %s on %s: version %s, API %s, up %s, features: %s\n%s%s",
              (*client)->target().c_str(), info.host_name().c_str(), info.server_version().c_str(),
              info.api_version().c_str(),
              absl::FormatDuration(
                  absl::Trunc(absl::Now() - client::FromProto(info.start_time()), absl::Seconds(1)))
                  .c_str(),
              absl::StrJoin(info.features(), ", ").c_str(), DescribeStream(*stream).c_str(),
              DescribeClock(clock->reading()).c_str());
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Devices(Context& context) {
  auto client = context.Connect();
  if (!client.ok()) return client.status();
  v1::ListDevicesResponse all;
  v1::ListDevicesRequest request;
  do {
    // Asking the host for its devices may take a while.
    auto page = (*client)->Call(&Stubs::devices, &v1::DeviceService::Stub::ListDevices, request,
                                {.timeout = absl::Seconds(20)});
    if (!page.ok()) return page.status();
    all.mutable_devices()->MergeFrom(page->devices());
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  std::string words;
  for (const v1::Device& device : all.devices()) {
    absl::StrAppendFormat(&words, "%3d  %-32s %3d in %3d out  %6g Hz  %s\n", device.index(),
                          device.id(), device.max_input_channels(), device.max_output_channels(),
                          device.default_sample_rate_hz(), device.name());
  }
  context.Answer(all, words);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Stats(Context& context, bool reset) {
  auto client = context.Connect();
  if (!client.ok()) return client.status();
  std::shared_ptr<client::Session> session;
  client::CallOptions options{.retry = true};
  if (reset || context.has_token()) {
    auto opened = context.OpenSession("stats");
    if (!opened.ok()) return opened.status();
    session = *std::move(opened);
    options = session->call();
  }
  v1::GetStatsRequest request;
  request.set_reset_baseline(reset);
  auto response =
      (*client)->Call(&Stubs::actions, &v1::ActionService::Stub::GetStats, request, options);
  if (!response.ok()) return response.status();
  const v1::StreamStats& stats = response->stats();
  const v1::BlockStats& blocks = stats.blocks();
  context.Answer(
      *response,
      absl::StrFormat("frames %d to %d: %d blocks of %d to %d frames\n"
                      "  %d xruns, %d frames lost\n"
                      "  the host flagged: %d input underflows, %d input overflows, %d output "
                      "underflows, %d output overflows\n"
                      "  clipped samples per output: %s\n"
                      "  CPU load %.1f %%, %d actions active, %d pending\n",
                      stats.since_frame(), stats.until_frame(), blocks.blocks(),
                      blocks.min_frames(), blocks.max_frames(), stats.xruns(), stats.lost_frames(),
                      blocks.input_underflows(), blocks.input_overflows(),
                      blocks.output_underflows(), blocks.output_overflows(),
                      absl::StrJoin(stats.clipped_samples(), " "), 100 * stats.cpu_load(),
                      stats.active_actions(), stats.pending_actions()));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Clock(Context& context, bool follow) {
  auto client = context.Connect();
  if (!client.ok()) return client.status();
  if (!follow) {
    auto clock = GetClock(**client);
    if (!clock.ok()) return clock.status();
    context.Answer(*clock, DescribeClock(clock->reading()));
    return ExitCode::kOk;
  }
  const auto stubs = (*client)->stubs();
  grpc::ClientContext call;
  const auto reader = stubs->clock->StreamClock(&call, v1::StreamClockRequest());
  absl::Status status = Follow<v1::StreamClockResponse>(
      {.target = (*client)->target(), .silence_limit = client::kSilenceLimit}, call, *reader,
      [&context](const v1::StreamClockResponse& response) {
        const std::string text =
            context.json() ? ToJsonLine(response) : DescribeClock(response.reading());
        return std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
      });
  if (!status.ok()) return status;
  return Interrupt::Seen() ? ExitCode::kInterrupted : ExitCode::kOk;
}

std::string DescribeSession(const v1::Session& session) {
  std::string state = "shared";
  if (session.state() == v1::SESSION_STATE_EXCLUSIVE) state = "exclusive";
  if (session.state() == v1::SESSION_STATE_QUEUED) {
    state = absl::StrFormat("queued, %d before it", session.queue_position());
  }
  return absl::StrFormat(
      "%s  %s (%s): %d actions, %d buffers of %d bytes, gain %g, expires in %s\n",
      session.session_id(), session.label(), state, session.active_actions(), session.buffers(),
      session.buffer_bytes(), session.gain(),
      absl::FormatDuration(
          absl::Trunc(client::FromProto(session.expire_time()) - absl::Now(), absl::Seconds(1))));
}

absl::StatusOr<ExitCode> Sessions(Context& context) {
  auto client = context.Connect();
  if (!client.ok()) return client.status();
  v1::ListSessionsResponse all;
  v1::ListSessionsRequest request;
  do {
    auto page = (*client)->Call(&Stubs::sessions, &v1::SessionService::Stub::ListSessions, request,
                                {.retry = true});
    if (!page.ok()) return page.status();
    all.mutable_sessions()->MergeFrom(page->sessions());
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  std::string words = all.sessions().empty() ? "no sessions\n" : "";
  for (const v1::Session& session : all.sessions()) words += DescribeSession(session);
  context.Answer(all, words);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> BreakSession(Context& context, const v1::BreakSessionRequest& request) {
  auto client = context.Connect();
  if (!client.ok()) return client.status();
  auto response =
      (*client)->Call(&Stubs::sessions, &v1::SessionService::Stub::BreakSession, request, {});
  if (!response.ok()) return response.status();
  const v1::Session& session = response->session();
  context.Answer(*response,
                 absl::StrFormat("%s  %s has ended: %d actions stopped, %d buffers freed\n",
                                 session.session_id(), session.label(), session.active_actions(),
                                 session.buffers()));
  return ExitCode::kOk;
}

}  // namespace

void AddInfoCommands(Context& context) {
  context.AddCommand("status", "Who the server is, what its stream does, what time it is there",
                     "  rtmixctl status\n  rtmixctl status --json | jq .stream.next_frame\n",
                     Status);
  context.AddCommand("devices", "The sound devices of the server's host", "  rtmixctl devices\n",
                     Devices);

  auto reset = std::make_shared<bool>(false);
  context
      .AddCommand("stats", "Counters of the stream: blocks, xruns, clips, load",
                  "  rtmixctl stats\n  rtmixctl stats --reset    # inside a lease\n",
                  [reset](Context& c) { return Stats(c, *reset); })
      ->add_flag("--reset", *reset, "Count from here on, for this session");

  auto follow = std::make_shared<bool>(false);
  context
      .AddCommand("clock", "How the frames of the stream relate to time",
                  "  rtmixctl clock\n  rtmixctl clock --follow --json\n",
                  [follow](Context& c) { return Clock(c, *follow); })
      ->add_flag("--follow", *follow, "Go on, a reading per second");

  context.AddCommand("sessions", "Who uses the server", "  rtmixctl sessions\n", Sessions);

  auto broken = std::make_shared<v1::BreakSessionRequest>();
  CLI::App* const command = context.AddCommand(
      "break-session", "End somebody's session; needs the role administer",
      "  rtmixctl sessions\n  rtmixctl break-session s-12 --reason 'the rig is needed'\n",
      [broken](Context& c) { return BreakSession(c, *broken); });
  command->add_option("SESSION", *broken->mutable_session_id(), "Its public id")->required();
  command->add_option("--reason", *broken->mutable_reason(), "Told to its owner")
      ->type_name("TEXT");
}

}  // namespace rtmixd::rtmixctl
