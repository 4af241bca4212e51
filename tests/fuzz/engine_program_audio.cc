// Audio in and out of the engine: buffers, and streams in pieces.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/control/wire_audio.h"
#include "tests/fuzz/engine_program.h"
#include "tests/fuzz/require.h"

namespace rtmixd {
namespace {

constexpr size_t kMaxHeld = 8;

template <typename Held>
void LetGoOfOldest(std::vector<Held>* held) {
  if (held->size() > kMaxHeld) held->erase(held->begin());
}

template <typename Held>
Held& AnyOf(std::vector<Held>* held, Choices* choices) {
  return (*held)[choices->Between(0, static_cast<int64_t>(held->size()) - 1)];
}

}  // namespace

void EngineProgram::CallBuffers(Choices* choices) {
  const std::string session = PickSession(choices);
  const std::string id = choices->IdOf(Context(session).buffer_ids);
  switch (choices->Between(0, 5)) {
    case 3:
      Check([&] { return engine_->DeleteBuffer(session, id); });
      return;
    case 4:
      Check([&] {
        auto writer = engine_->OpenUpload(session, id);
        if (!writer.ok()) return writer.status();
        const int64_t frames = (*writer)->info().frames;
        writers_.push_back({*std::move(writer), frames});
        LetGoOfOldest(&writers_);
        return absl::OkStatus();
      });
      return;
    case 5:
      Check([&] {
        auto reader = engine_->OpenDownload(session, id, Callback(callbacks_allowed_));
        if (!reader.ok()) return reader.status();
        readers_.push_back({*std::move(reader)});
        LetGoOfOldest(&readers_);
        return absl::OkStatus();
      });
      return;
    default:
      Check([&] {
        return engine_->CreateBuffer(session, ChooseBuffer(options_.sample_rate_hz, choices))
            .status();
      });
  }
}

void EngineProgram::UseUploads(Choices* choices) {
  if (!readers_.empty() && choices->OneIn(3)) {
    HeldReader& held = AnyOf(&readers_, choices);
    const SampleFormat format = ChooseFormat(choices);
    const int64_t first = choices->OneIn(5) ? choices->Frames() : held.next_frame;
    const int64_t wanted = choices->OneIn(20) ? choices->Frames() : choices->Between(0, 1000);
    if (first < 0 || wanted < 0 || wanted > 100000) return;  // rpc/ refuses these
    std::string bytes;
    const int64_t frames = held.reader->Read(first, wanted, format, &bytes);
    const BufferInfo info = held.reader->info();
    RTMIXD_REQUIRE(frames >= 0 && frames <= wanted, absl::StrCat(frames));
    RTMIXD_REQUIRE(frames == 0 || first + frames <= info.frames, absl::StrCat(frames));
    RTMIXD_REQUIRE(
        static_cast<int64_t>(bytes.size()) == frames * info.channels * BytesPerSample(format), "");
    held.next_frame = first + frames;
    return;
  }
  if (writers_.empty()) return CallBuffers(choices);
  HeldWriter& held = AnyOf(&writers_, choices);
  if (choices->OneIn(5)) {
    const absl::Status status = held.writer->Complete();
    CheckError(status);
    return;
  }
  const SampleFormat format = ChooseFormat(choices);
  const int64_t position = choices->OneIn(10) ? choices->Frames() : held.next_position;
  const std::string bytes =
      ChooseAudio(held.writer->info().channels, format, choices->Between(0, 600), choices);
  Check([&] {
    const int64_t before = held.writer->info().frames;
    const absl::Status status = held.writer->Append(position, format, bytes);
    const int64_t after = held.writer->info().frames;
    RTMIXD_REQUIRE(status.ok() ? position == before : after == before, status.ToString());
    if (status.ok()) held.next_position = after;
    return status;
  });
}

void EngineProgram::OpenStreams(Choices* choices) {
  const std::string session = PickSession(choices);
  const RequestContext context = Context(session);
  const int64_t what = choices->Between(0, 2);
  const PlayStreamSpec play = ChoosePlayStream(context, choices);
  const RecordStreamSpec record = ChooseRecordStream(context, choices);
  Check([&] {
    HeldPlay held_play{.stream = nullptr, .session_id = session, .spec = play};
    HeldRecord held_record{.stream = nullptr, .session_id = session, .spec = record};
    absl::Status status;
    if (what == 0) {
      auto stream = engine_->OpenPlay(session, play, Callback(callbacks_allowed_));
      status = stream.status();
      if (stream.ok()) held_play.stream = *std::move(stream);
    } else if (what == 1) {
      auto stream = engine_->OpenRecord(session, record, Callback(callbacks_allowed_));
      status = stream.status();
      if (stream.ok()) held_record.stream = *std::move(stream);
    } else {
      auto streams = engine_->OpenDuplex(session, play, record, choices->OneIn(2),
                                         Callback(callbacks_allowed_));
      status = streams.status();
      if (streams.ok()) {
        held_play.stream = std::move(streams->play);
        held_record.stream = std::move(streams->record);
      }
    }
    if (!status.ok()) return status;
    ledger_.ReadEvents(engine_.get());
    if (held_play.stream != nullptr) {
      ledger_.CheckAdmitted(held_play.stream->action_id());
      held_play.next_position = held_play.stream->Progress().received_position;
      plays_.push_back(std::move(held_play));
    }
    if (held_record.stream != nullptr) {
      ledger_.CheckAdmitted(held_record.stream->action_id());
      held_record.next_position = held_record.stream->next_position();
      records_.push_back(std::move(held_record));
    }
    return absl::OkStatus();
  });
  LetGoOfOldest(&plays_);
  LetGoOfOldest(&records_);
}

void EngineProgram::UsePlay(Choices* choices) {
  if (plays_.empty()) return OpenStreams(choices);
  const int64_t index = choices->Between(0, static_cast<int64_t>(plays_.size()) - 1);
  HeldPlay& held = plays_[index];
  PlayStream& stream = *held.stream;
  switch (choices->Between(0, 9)) {
    case 5:
      return CheckError(stream.Flush());
    case 6:
      return CheckError(stream.Idle());
    case 7:
      return CheckError(stream.EndOfSound());
    case 8:
      return stream.MayHaveEnded();
    case 9:
      plays_.erase(plays_.begin() + index);
      return;
    default: {
      const int64_t position = choices->OneIn(15) ? choices->Frames() : held.next_position;
      // A reattached stream has the channels of its action.
      const std::string bytes = ChooseAudio(held.spec.channels, held.spec.sample_format,
                                            choices->Between(0, 600), choices);
      Check([&] {
        const int64_t before = stream.Progress().received_position;
        const absl::Status status = stream.Push(position, bytes);
        const PlayStreamProgress progress = stream.Progress();
        RTMIXD_REQUIRE(status.ok() || progress.received_position == before, status.ToString());
        RTMIXD_REQUIRE(progress.played_position <= progress.received_position, "");
        if (status.ok())
          held.next_position = std::max(held.next_position, progress.received_position);
        return status;
      });
    }
  }
}

void EngineProgram::UseRecord(Choices* choices) {
  if (records_.empty()) return OpenStreams(choices);
  const int64_t index = choices->Between(0, static_cast<int64_t>(records_.size()) - 1);
  HeldRecord& held = records_[index];
  switch (choices->Between(0, 7)) {
    case 5: {
      const int64_t granted = held.next_position + choices->Frames() % (int64_t{1} << 60);
      Check([&] { return held.stream->Grant(granted); });
      return;
    }
    case 6: {
      std::optional<int64_t> frame;
      if (choices->OneIn(2)) frame = choices->FrameNear(next_frame_);
      return CheckError(held.stream->Stop(frame));
    }
    case 7:
      records_.erase(records_.begin() + index);
      return;
    default:
      ReadRecord(&held, choices);
  }
}

void EngineProgram::ReadRecord(HeldRecord* held, Choices* choices) {
  for (int64_t i = choices->Between(1, 20); i > 0; --i) {
    RecordStream::Item item = held->stream->Read();
    if (const auto* chunk = std::get_if<RecordStream::Chunk>(&item)) {
      RTMIXD_REQUIRE(!held->ended, "");
      RTMIXD_REQUIRE(chunk->position == held->next_position,
                     absl::StrCat(chunk->position, " ", held->next_position));
      const int64_t frame_bytes =
          int64_t{held->stream->channels()} * BytesPerSample(held->spec.sample_format);
      const auto size = static_cast<int64_t>(chunk->bytes.size());
      RTMIXD_REQUIRE(size > 0 && size % frame_bytes == 0, absl::StrCat(size));
      RTMIXD_REQUIRE(
          CheckWireAudio(chunk->bytes, held->spec.sample_format, held->stream->channels()).ok(),
          "");
      held->next_position += size / frame_bytes;
    } else if (const auto* gap = std::get_if<GapInfo>(&item)) {
      RTMIXD_REQUIRE(!held->ended && gap->position == held->next_position && gap->frames > 0,
                     absl::StrCat(gap->position, " ", gap->frames));
      held->next_position += gap->frames;
    } else if (const auto* ended = std::get_if<RecordStream::Ended>(&item)) {
      held->ended = true;
      ledger_.ReadEvents(engine_.get());
      ledger_.CheckReport(ended->report);
      RTMIXD_REQUIRE(ended->report.state == ActionState::kEnded, "");
      RTMIXD_REQUIRE(ended->report.done_frames == held->next_position,
                     absl::StrCat(ended->report.done_frames, " ", held->next_position));
      return;
    } else {
      return;
    }
  }
}

}  // namespace rtmixd
