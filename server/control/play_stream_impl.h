#ifndef RTMIXD_SERVER_CONTROL_PLAY_STREAM_IMPL_H_
#define RTMIXD_SERVER_CONTROL_PLAY_STREAM_IMPL_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/control/action.h"
#include "server/control/audio_stream.h"
#include "server/control/change_signal.h"
#include "server/control/engine_impl.h"

namespace rtmixd {

// A call's hold on a play stream: decodes what comes and puts it into the ring, without the
// engine's lock once the mixer has the ring. The ring is its action's and goes when that has ended.
//
// Threading: as PlayStream. Destroyed before the engine.
class PlayStreamImpl : public PlayStream {
 public:
  PlayStreamImpl(EngineImpl* engine, std::shared_ptr<Action> action, SampleFormat format,
                 int max_chunk_bytes, std::unique_ptr<ChangeSignal::Subscription> subscription,
                 std::shared_ptr<void> slot);
  ~PlayStreamImpl() override;

  const std::string& action_id() const override { return action_id_; }
  const std::string& stream_id() const override { return stream_id_; }
  absl::Status Push(int64_t position, std::string_view bytes) override;
  absl::Status Flush() override;
  absl::Status Idle() override;
  void MayHaveEnded() override;
  absl::Status EndOfSound() override;
  PlayStreamProgress Progress() const override;
  std::optional<ActionReport> FinalReport() const override;

 private:
  absl::Status CheckNotEnded() const;
  // Does not wait for the prebuffer any longer.
  void PlayWhatIsThere();

  EngineImpl* const engine_;
  const std::shared_ptr<Action> action_;
  const std::weak_ptr<PlayFeed> feed_;
  const int channels_;
  const std::string action_id_;
  const std::string stream_id_;
  const SampleFormat format_;
  const int max_chunk_bytes_;
  const int64_t ring_frames_;
  const std::shared_ptr<void> slot_;  // of those that are limited
  std::unique_ptr<ChangeSignal::Subscription> subscription_;

  // The sender's.
  int64_t next_position_;
  bool ended_ = false;
  bool handed_over_ = false;
  int64_t flushed_position_ = 0;
  std::vector<float> planar_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_PLAY_STREAM_IMPL_H_
