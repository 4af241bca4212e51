#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "client_cpp/duration.h"
#include "client_cpp/rtmixctl/commands.h"
#include "client_cpp/rtmixctl/follow.h"
#include "client_cpp/rtmixctl/interrupt.h"
#include "client_cpp/rtmixctl/json.h"
#include "client_cpp/rtmixctl/report_text.h"
#include "client_cpp/rtmixctl/validators.h"

namespace rtmixd::rtmixctl {
namespace {

struct WatchOptions {
  double interval_seconds = 0.1;
  std::optional<double> seconds;
  std::optional<int64_t> from_sequence;
  bool meters = false;
  bool no_meters = false;
};

// Where events scroll by, above the level meters, which stay at the bottom of a terminal.
//
// Threading: any thread.
class Screen {
 public:
  explicit Screen(bool terminal) : terminal_(terminal) {}
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  // Both say whether stdout still takes something.
  bool AddLine(const std::string& line) ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    Clear();
    std::fputs(line.c_str(), stdout);
    return Draw();
  }
  bool SetMeters(std::vector<std::string> lines) ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    Clear();
    if (!terminal_) {
      for (const std::string& line : lines) std::fputs(line.c_str(), stdout);
      lines.clear();
    }
    meters_ = std::move(lines);
    return Draw();
  }

 private:
  void Clear() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (!meters_.empty()) std::printf("\033[%dA\033[J", static_cast<int>(meters_.size()));
  }
  bool Draw() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    for (const std::string& line : meters_) std::fputs(line.c_str(), stdout);
    return std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  }

  const bool terminal_;
  absl::Mutex mu_;
  std::vector<std::string> meters_ ABSL_GUARDED_BY(mu_);
};

std::string MeterLine(const std::string& name, const v1::Level& level) {
  constexpr int kWidth = 40;
  constexpr double kFloorDb = -60;
  const auto db = [=](float value) {
    return std::max(kFloorDb, 20 * std::log10(std::max(1e-9, static_cast<double>(value))));
  };
  const auto place = [=](double level_db) {
    return static_cast<size_t>(
        std::clamp((level_db - kFloorDb) / -kFloorDb * kWidth, 0.0, static_cast<double>(kWidth)));
  };
  std::string bar(kWidth + 1, ' ');
  std::fill_n(bar.begin(), place(db(level.rms())), '=');
  if (level.peak() > 0) bar[place(db(level.peak()))] = '|';
  return absl::StrFormat("%-7s [%s] %6.1f dB%s\n", name, bar, db(level.peak()),
                         level.clipped_samples() > 0 ? " CLIP" : "");
}

std::vector<std::string> MeterLines(const v1::StreamMetersResponse& meters) {
  std::vector<std::string> lines;
  for (int i = 0; i < meters.inputs_size(); ++i) {
    lines.push_back(MeterLine(absl::StrCat("in ", i + 1), meters.inputs(i)));
  }
  for (int i = 0; i < meters.outputs_size(); ++i) {
    lines.push_back(MeterLine(absl::StrCat("out ", i + 1), meters.outputs(i)));
  }
  return lines;
}

std::string EventLine(const v1::LogEntry& entry) {
  std::string line =
      absl::FormatTime("%H:%M:%E3S", client::FromProto(entry.time()), absl::LocalTimeZone());
  if (entry.has_frame()) absl::StrAppendFormat(&line, "  frame %d", entry.frame());
  absl::StrAppend(&line, "  ", DescribeEvent(entry));
  if (!entry.session_label().empty()) absl::StrAppend(&line, "  [", entry.session_label(), "]");
  return line + "\n";
}

absl::StatusOr<ExitCode> Watch(Context& context, const WatchOptions& options) {
  auto client = context.Connect();
  if (!client.ok()) return client.status();
  const bool terminal = isatty(STDOUT_FILENO) == 1 && !context.json();
  const bool meters = !options.no_meters && (terminal || options.meters);
  const absl::Time deadline = options.seconds.has_value()
                                  ? absl::Now() + absl::Seconds(*options.seconds)
                                  : absl::InfiniteFuture();
  const auto stubs = (*client)->stubs();
  Screen screen(terminal);

  std::thread meter_thread;
  grpc::ClientContext meters_call;
  if (meters) {
    meter_thread = std::thread([&] {
      v1::StreamMetersRequest request;
      const absl::Duration interval = absl::Seconds(options.interval_seconds);
      *request.mutable_interval() = client::ToProto(interval);
      const auto reader = stubs->events->StreamMeters(&meters_call, request);
      const FollowOptions follow{.target = (*client)->target(),
                                 .silence_limit = interval + client::kSilenceLimit,
                                 .deadline = deadline};
      // Without meters the events are still worth seeing, and tell what is wrong.
      Follow<v1::StreamMetersResponse>(follow, meters_call, *reader,
                                       [&](const v1::StreamMetersResponse& response) {
                                         return context.json()
                                                    ? screen.AddLine(ToJsonLine(response))
                                                    : screen.SetMeters(MeterLines(response));
                                       })
          .IgnoreError();
    });
  }

  v1::StreamEventsRequest request;
  if (options.from_sequence.has_value()) request.set_from_sequence(*options.from_sequence);
  grpc::ClientContext events_call;
  const auto reader = stubs->events->StreamEvents(&events_call, request);
  absl::Status status = Follow<v1::StreamEventsResponse>(
      {.target = (*client)->target(), .silence_limit = client::kSilenceLimit, .deadline = deadline},
      events_call, *reader, [&](const v1::StreamEventsResponse& response) {
        bool written = true;
        if (response.missed() > 0 && !context.json()) {
          written = screen.AddLine(absl::StrFormat("(%d events were missed)\n", response.missed()));
        }
        for (const v1::LogEntry& entry : response.entries()) {
          written = screen.AddLine(context.json() ? ToJsonLine(entry) : EventLine(entry));
        }
        return written;
      });
  meters_call.TryCancel();
  if (meter_thread.joinable()) meter_thread.join();
  if (!status.ok()) return status;
  return Interrupt::Seen() ? ExitCode::kInterrupted : ExitCode::kOk;
}

}  // namespace

void AddWatchCommand(Context& context) {
  auto options = std::make_shared<WatchOptions>();
  CLI::App* const watch = context.AddCommand(
      "watch", "Events as they happen, and level meters, until Ctrl-C",
      "  rtmixctl watch\n"
      "  rtmixctl watch --json --from-sequence 0 --seconds 1    # what happened so far\n",
      [options](Context& c) { return Watch(c, *options); });
  watch->add_option("--interval", options->interval_seconds, "Seconds between level readings")
      ->type_name("SECONDS")
      ->check(Seconds(0.02, 10))
      ->capture_default_str();
  watch->add_option("--seconds", options->seconds, "End after so many seconds")
      ->type_name("SECONDS")
      ->check(Seconds());
  watch
      ->add_option("--from-sequence", options->from_sequence,
                   "Begin with this event, 0: the oldest there is; only new ones without it")
      ->type_name("NUMBER")
      ->check(WholeNumber(0, std::numeric_limits<int64_t>::max(), "sequence number"));
  auto* const meters =
      watch->add_flag("--meters", options->meters, "Level meters also where stdout is no terminal");
  watch->add_flag("--no-meters", options->no_meters, "Events alone")->excludes(meters);
}

}  // namespace rtmixd::rtmixctl
