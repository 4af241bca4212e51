// Stereo streams in real time, each over a connection of its own: chunks go out at the pace of the
// sample rate, spread over the length of a chunk; the streams begin one after the other. Tells as
// JSON what the server's process used meanwhile, and how often audio came too late.
//
// Ours says itself how often a play ran dry. The bare server only sends chunks back; there a chunk
// is an underrun that is back later than the ring would have lasted.

#include <time.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "rtmixd/v1/audio.pb.h"
#include "tests/benchmark/rpc/raw_calls.h"
#include "tests/benchmark/rpc/stall_watch.h"

namespace rtmixd::load {
namespace {

constexpr int kChannels = 2;
constexpr double kRate = 48000;
// So that what they all send ahead does not come at once.
constexpr double kBeginSecondsPerStream = 0.004;
// Nothing that lasts as long as a benchmark comes so far.
constexpr int64_t kAllPositions = int64_t{1} << 40;

enum class Kind { kBare, kDuplex, kPlay };

struct Options {
  std::string target;
  Kind kind = Kind::kDuplex;
  int streams = 1;
  double seconds = 5;
  int64_t chunk_frames = 960;
  int64_t ring_frames = 9600;
  int server_pid = 0;

  double ring_seconds() const { return static_cast<double>(ring_frames) / kRate; }
  double chunk_seconds() const { return static_cast<double>(chunk_frames) / kRate; }
  // What is sent before anything sounds.
  int64_t prebuffer_chunks() const { return std::max<int64_t>(1, ring_frames / chunk_frames - 1); }
};

class Stream final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  struct Counts {
    int64_t underruns = 0;
    int64_t gaps = 0;          // of the recording
    int64_t late = 0;          // chunks of the recording that came later than the ring lasts
    double worst_seconds = 0;  // lateness of a chunk that came
    int64_t received = 0;      // chunks
  };

  Stream(const Options& options, const grpc::Slice& samples)
      : options_(options),
        samples_(samples),
        channel_(Connect(options.target)),
        session_(channel_, options.kind == Kind::kBare),
        stub_(channel_) {
    if (options.kind == Kind::kBare) granted_ = kAllPositions;
    session_.Prepare(&context_);
    stub_.PrepareBidiStreamingCall(&context_,
                                   options.kind == Kind::kPlay ? "/rtmixd.v1.AudioService/Play"
                                                               : "/rtmixd.v1.AudioService/Duplex",
                                   {}, this);
    if (options.kind != Kind::kBare) {
      request_ = Config();
      writing_ = true;
      StartWrite(&request_);
    }
    StartRead(&response_);
    StartCall();
  }

  // Time for `chunks` more chunks.
  void Tick(int64_t chunks) {
    const std::lock_guard lock(mutex_);
    owed_ += chunks;
    if (begin_ == 0) begin_ = Now();
    WriteNext();
  }
  // What came before does not count.
  void ResetCounts() {
    const std::lock_guard lock(mutex_);
    base_underruns_ = underruns_;
    counts_ = {};
  }
  Counts counts() {
    const std::lock_guard lock(mutex_);
    Counts counts = counts_;
    if (options_.kind != Kind::kBare) counts.underruns = underruns_ - base_underruns_;
    return counts;
  }
  void Cancel() { context_.TryCancel(); }
  bool done() const { return done_; }

 private:
  grpc::ByteBuffer Config() const {
    v1::DuplexConfig config;
    v1::PlayConfig& play = *config.mutable_play();
    play.set_channels(kChannels);
    play.set_sample_format(v1::SAMPLE_FORMAT_FLOAT32);
    play.set_ring_frames(options_.ring_frames);
    play.set_prebuffer_frames(options_.prebuffer_chunks() * options_.chunk_frames);
    v1::RecordConfig& record = *config.mutable_record();
    record.set_sample_format(v1::SAMPLE_FORMAT_FLOAT32);
    record.set_chunk_frames(static_cast<int>(options_.chunk_frames));
    record.set_granted_position(kAllPositions);
    if (options_.kind == Kind::kPlay) {
      v1::PlayRequest request;
      *request.mutable_config() = play;
      return Serialize(request);
    }
    v1::DuplexRequest request;
    *request.mutable_config() = config;
    return Serialize(request);
  }

  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    if (ok) WriteNext();
  }
  void OnReadDone(bool ok) override {
    if (!ok) return;
    Take();
    StartRead(&response_);
  }
  void OnDone(const grpc::Status& status) override {
    if (status.error_code() != grpc::StatusCode::CANCELLED) Die(status.error_message());
    done_ = true;
  }

  // With the lock.
  void WriteNext() {
    if (writing_ || owed_ == 0 || position_ + options_.chunk_frames > granted_) return;
    --owed_;
    request_ = AudioMessage(position_, samples_);
    position_ += options_.chunk_frames;
    writing_ = true;
    StartWrite(&request_);
  }

  void Take() {
    const Head head = ReadHead(response_);
    const std::lock_guard lock(mutex_);
    if (head.field == v1::DuplexResponse::kAudioFieldNumber && options_.kind != Kind::kPlay) {
      TakeChunk(head.position);
    } else if (options_.kind == Kind::kPlay) {
      v1::PlayResponse response;
      Parse(&response);
      if (response.has_opened()) granted_ = response.opened().granted_position();
      if (response.has_progress()) TakeProgress(response.progress());
    } else {
      v1::DuplexResponse response;
      Parse(&response);
      if (response.has_opened()) granted_ = response.opened().play().granted_position();
      if (response.has_play_progress()) TakeProgress(response.play_progress());
      if (response.has_gap()) ++counts_.gaps;
    }
    WriteNext();
  }
  void TakeProgress(const v1::PlayProgress& progress) {
    granted_ = progress.granted_position();
    underruns_ = progress.underruns();
  }
  void TakeChunk(int64_t position) {
    ++counts_.received;
    // Positions of a recording count from when the play began; of an echo, from its first tick on,
    // where the prebuffer was sent at once.
    const double now = Now();
    const double origin = now - static_cast<double>(position) / kRate;
    if (first_origin_ == 0 || origin < first_origin_) first_origin_ = origin;
    const double late = origin - first_origin_;
    counts_.worst_seconds = std::max(counts_.worst_seconds, late);
    if (late < options_.ring_seconds()) return;
    ++counts_.late;
    if (options_.kind == Kind::kBare) ++counts_.underruns;
  }
  void Parse(google::protobuf::Message* message) {
    std::vector<grpc::Slice> slices;
    if (!response_.Dump(&slices).ok()) Die("Dump");
    std::string bytes;
    for (const grpc::Slice& slice : slices) {
      bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
    if (!message->ParseFromString(bytes)) Die("not a response");
  }

  const Options& options_;
  const grpc::Slice samples_;
  const std::shared_ptr<grpc::Channel> channel_;
  const Session session_;
  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer response_;
  std::atomic<bool> done_{false};
  std::mutex mutex_;
  bool writing_ = false;
  int64_t owed_ = 0;
  int64_t position_ = 0;
  int64_t granted_ = 0;
  int64_t underruns_ = 0;
  int64_t base_underruns_ = 0;
  double begin_ = 0;
  double first_origin_ = 0;  // of the chunk that came earliest, for its position
  Counts counts_;
};

double CpuSeconds(clockid_t clock) {
  timespec time{};
  if (clock_gettime(clock, &time) != 0) return 0;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

void Run(const Options& options) {
  clockid_t server_clock = CLOCK_PROCESS_CPUTIME_ID;
  if (options.server_pid != 0 && clock_getcpuclockid(options.server_pid, &server_clock) != 0) {
    Die("no process with that id");
  }
  const std::vector<float> tone(options.chunk_frames * kChannels, 1e-4F);
  const grpc::Slice samples(tone.data(), tone.size() * sizeof(float));
  std::vector<std::unique_ptr<Stream>> streams;
  for (int i = 0; i < options.streams; ++i) {
    streams.push_back(std::make_unique<Stream>(options, samples));
  }

  StallWatch watch;
  using Clock = std::chrono::steady_clock;
  const auto step = std::chrono::duration_cast<Clock::duration>(
      std::chrono::duration<double>(options.chunk_seconds() / options.streams));
  // Connections and the first blocks are not what is measured.
  const double begin_seconds = kBeginSecondsPerStream * options.streams;
  const double warm_up_seconds = 1 + begin_seconds + options.ring_seconds();
  const Clock::time_point begin = Clock::now();
  const auto rounds = [&](double seconds) {
    return static_cast<int64_t>(seconds / options.chunk_seconds());
  };
  double measured_since = 0;
  double server_cpu = 0;
  double client_cpu = 0;
  const int64_t all_rounds = rounds(warm_up_seconds + options.seconds);
  const int64_t begin_rounds = std::max<int64_t>(1, rounds(begin_seconds));
  for (int64_t round = 0; round < all_rounds; ++round) {
    if (round == rounds(warm_up_seconds)) {
      for (const auto& stream : streams) stream->ResetCounts();
      measured_since = Now();
      server_cpu = CpuSeconds(server_clock);
      client_cpu = CpuSeconds(CLOCK_PROCESS_CPUTIME_ID);
    }
    for (int i = 0; i < options.streams; ++i) {
      std::this_thread::sleep_until(begin + (round * options.streams + i) * step);
      const int64_t first_round = i * begin_rounds / options.streams;
      if (round < first_round) continue;
      const bool ahead = round == first_round && options.kind != Kind::kBare;
      streams[i]->Tick(ahead ? options.prebuffer_chunks() : 1);
    }
  }
  server_cpu = CpuSeconds(server_clock) - server_cpu;
  client_cpu = CpuSeconds(CLOCK_PROCESS_CPUTIME_ID) - client_cpu;
  const double seconds = Now() - measured_since;

  Stream::Counts all;
  for (const auto& stream : streams) {
    const Stream::Counts counts = stream->counts();
    all.underruns += counts.underruns;
    all.gaps += counts.gaps;
    all.late += counts.late;
    all.received += counts.received;
    all.worst_seconds = std::max(all.worst_seconds, counts.worst_seconds);
  }
  double longest_stall = 0;
  int stalls = 0;
  for (const StallWatch::Stall& stall : watch.Stop()) {
    if (stall.end < measured_since) continue;
    ++stalls;
    longest_stall = std::max(longest_stall, stall.seconds);
  }
  std::printf(
      "{\"streams\": %d, \"seconds\": %.3f, \"server_cores\": %.5f, \"client_cores\": %.5f, "
      "\"underruns\": %lld, \"gaps\": %lld, \"late_chunks\": %lld, \"worst_ms\": %.2f, "
      "\"received_chunks\": %lld, \"stalls\": %d, \"longest_stall_ms\": %.2f}\n",
      options.streams, seconds, options.server_pid == 0 ? 0.0 : server_cpu / seconds,
      client_cpu / seconds, static_cast<long long>(all.underruns), static_cast<long long>(all.gaps),
      static_cast<long long>(all.late), all.worst_seconds * 1000,
      static_cast<long long>(all.received), stalls, longest_stall * 1000);

  for (const auto& stream : streams) stream->Cancel();
  for (const auto& stream : streams) {
    while (!stream->done()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

int Main(int argc, char** argv) {
  CLI::App app("Streams in real time");
  Options options;
  const std::map<std::string, Kind> kinds = {
      {"bare", Kind::kBare}, {"duplex", Kind::kDuplex}, {"play", Kind::kPlay}};
  app.add_option("--target", options.target)->required();
  app.add_option("--kind", options.kind)->transform(CLI::CheckedTransformer(kinds));
  app.add_option("--streams", options.streams);
  app.add_option("--seconds", options.seconds);
  app.add_option("--chunk-frames", options.chunk_frames);
  app.add_option("--ring-frames", options.ring_frames);
  app.add_option("--server-pid", options.server_pid);
  CLI11_PARSE(app, argc, argv);
  Run(options);
  return 0;
}

}  // namespace
}  // namespace rtmixd::load

int main(int argc, char** argv) { return rtmixd::load::Main(argc, argv); }
