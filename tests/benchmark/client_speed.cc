// The C++ client's part of python_speed.py: does what a line of its input names, and says how many
// seconds it took. Usage: client_speed TARGET FRAMES ACTIONS

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "client_cpp/action.h"
#include "client_cpp/audio.h"
#include "client_cpp/buffer.h"
#include "client_cpp/client.h"
#include "client_cpp/session.h"
#include "rtmixd/v1/action.pb.h"

namespace rtmixd::client {
namespace {

constexpr int kChannels = 2;
// Nothing of the batch is to sound while it is measured.
constexpr int64_t kFarFrame = int64_t{1} << 50;

class Speed {
 public:
  Speed(std::shared_ptr<Session> session, int64_t frames, int actions)
      : session_(std::move(session)), actions_(actions) {
    audio_.channels = kChannels;
    audio_.samples.resize(static_cast<size_t>(frames * kChannels));
    for (size_t i = 0; i < audio_.samples.size(); ++i) {
      audio_.samples[i] = static_cast<float>(i % 1000) / 1000;
    }
  }

  // Seconds that it took.
  absl::StatusOr<double> Run(const std::string& what) {
    if (what == "upload") return Upload();
    if (what == "download") return Download();
    if (what == "schedule") return Schedule();
    return absl::InvalidArgumentError(what);
  }

 private:
  absl::StatusOr<double> Upload() {
    const absl::Time begin = absl::Now();
    auto buffer = Buffer::Upload(session_, audio_, {});
    if (!buffer.ok()) return buffer.status();
    const absl::Duration taken = absl::Now() - begin;
    buffer_ = *std::move(buffer);
    return absl::ToDoubleSeconds(taken);
  }

  absl::StatusOr<double> Download() {
    const absl::Time begin = absl::Now();
    std::vector<float> all(audio_.samples.size());
    absl::Status status =
        buffer_->Download({}, [&all](int64_t position, absl::Span<const float> interleaved) {
          std::copy(interleaved.begin(), interleaved.end(),
                    all.begin() + static_cast<std::ptrdiff_t>(position * kChannels));
          return absl::OkStatus();
        });
    const absl::Duration taken = absl::Now() - begin;
    if (!status.ok()) return status;
    if (all != audio_.samples) return absl::DataLossError("other audio came back");
    buffer_.reset();
    return absl::ToDoubleSeconds(taken);
  }

  absl::StatusOr<double> Schedule() {
    Audio click;
    click.channels = 1;
    click.samples = {0.5F};
    auto buffer = Buffer::Upload(session_, click, {});
    if (!buffer.ok()) return buffer.status();
    const absl::Time begin = absl::Now();
    v1::ScheduleActionsRequest request;
    request.set_origin_frame(kFarFrame);
    for (int i = 0; i < actions_; ++i) {
      v1::ActionSpec& action = *request.add_actions();
      action.mutable_start()->set_offset_frames(int64_t{480} * i);
      action.mutable_play()->set_buffer_id((*buffer)->id());
      action.mutable_play()->mutable_channel_map()->add_channels(1);
    }
    const auto response = ScheduleActions(*session_, std::move(request));
    if (!response.ok()) return response.status();
    std::vector<Action> scheduled;
    scheduled.reserve(static_cast<size_t>(actions_));
    for (const v1::ScheduledAction& action : response->actions()) {
      scheduled.emplace_back(session_, action.action_id());
    }
    const absl::Duration taken = absl::Now() - begin;
    v1::CancelActionsRequest cancel;
    cancel.set_all(true);
    const auto cancelled =
        session_->client().Call(&Stubs::actions, &v1::ActionService::Stub::CancelActions, cancel,
                                session_->call(absl::Seconds(30)));
    if (!cancelled.ok()) return cancelled.status();
    return absl::ToDoubleSeconds(taken);
  }

  const std::shared_ptr<Session> session_;
  const int actions_;
  Audio audio_;
  std::unique_ptr<Buffer> buffer_;
};

int Main(int argc, char** argv) {
  int64_t frames = 0;
  int actions = 0;
  if (argc != 4 || !absl::SimpleAtoi(argv[2], &frames) || !absl::SimpleAtoi(argv[3], &actions)) {
    std::cerr << "usage: client_speed TARGET FRAMES ACTIONS\n";
    return EXIT_FAILURE;
  }
  auto client = Client::Connect(argv[1]);
  if (!client.ok()) {
    std::cerr << client.status() << "\n";
    return EXIT_FAILURE;
  }
  auto session = Session::Create(*client, {.label = "client_speed"});
  if (!session.ok()) {
    std::cerr << session.status() << "\n";
    return EXIT_FAILURE;
  }
  Speed speed(*session, frames, actions);
  std::string what;
  while (std::getline(std::cin, what)) {
    const absl::StatusOr<double> seconds = speed.Run(what);
    if (!seconds.ok()) {
      std::cerr << what << ": " << seconds.status() << "\n";
      return EXIT_FAILURE;
    }
    std::cout << *seconds << '\n' << std::flush;
  }
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace rtmixd::client

int main(int argc, char** argv) { return rtmixd::client::Main(argc, argv); }
