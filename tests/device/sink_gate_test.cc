#include "server/device/sink_gate.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "server/realtime/audio_block.h"

namespace rtmixd {
namespace {

// Sends 1 everywhere; knows whether it has been destroyed.
class OnesSink : public AudioBlockSink {
 public:
  explicit OnesSink(std::atomic<bool>* gone) : gone_(gone) {}
  ~OnesSink() override { gone_->store(true); }
  void ProcessRt(const AudioBlock& block) noexcept override {
    if (gone_->load()) std::abort();
    for (int k = 0; k < block.frames; ++k) block.output[0][k] = 1;
    ++blocks;
  }
  void AfterBlockRt() noexcept override {
    if (gone_->load()) std::abort();
    ++after;
  }

  int blocks = 0;
  int after = 0;

 private:
  std::atomic<bool>* gone_;
};

struct Block {
  Block() {
    block.frames = 4;
    block.output = outputs;
  }
  std::vector<float> samples = std::vector<float>(4, -9.0F);
  float* outputs[1] = {samples.data()};
  AudioBlock block;
};

TEST(SinkGateTest, OpenGateCallsTheSink) {
  std::atomic<bool> gone = false;
  OnesSink sink(&gone);
  SinkGate gate(&sink, 48000);
  Block block;
  EXPECT_TRUE(gate.ProcessRt(block.block, 1));
  EXPECT_EQ(sink.blocks, 1);
  EXPECT_EQ(sink.after, 1);
  EXPECT_EQ(block.samples, std::vector<float>(4, 1.0F));
  EXPECT_GT(gate.cpu_load(), 0);
}

TEST(SinkGateTest, ClosedGateIsSilent) {
  std::atomic<bool> gone = false;
  OnesSink sink(&gone);
  SinkGate gate(&sink, 48000);
  gate.Close();
  gate.Close();
  Block block;
  EXPECT_FALSE(gate.ProcessRt(block.block, 1));
  EXPECT_EQ(sink.blocks, 0);
  EXPECT_EQ(sink.after, 0);
  EXPECT_EQ(block.samples, std::vector<float>(4, 0.0F));
}

TEST(SinkGateTest, ClosedGateOpensAgainUnlessClosedForGood) {
  std::atomic<bool> gone = false;
  OnesSink sink(&gone);
  SinkGate gate(&sink, 48000);
  Block block;
  gate.Close();
  gate.Open();
  EXPECT_TRUE(gate.ProcessRt(block.block, 1));
  gate.CloseForGood();
  gate.Open();
  EXPECT_FALSE(gate.ProcessRt(block.block, 1));
  gate.Close();
  gate.Open();
  EXPECT_FALSE(gate.ProcessRt(block.block, 1));
}

TEST(SinkGateTest, SinkMayGoAsSoonAsCloseHasReturned) {
  for (int round = 0; round < 50; ++round) {
    std::atomic<bool> gone = false;
    auto sink = std::make_unique<OnesSink>(&gone);
    SinkGate gate(sink.get(), 48000);
    std::atomic<bool> called = false;
    std::thread audio([&] {
      Block block;
      while (gate.ProcessRt(block.block, 1)) called = true;
    });
    while (!called) std::this_thread::yield();
    gate.Close();
    sink.reset();
    audio.join();
  }
}

}  // namespace
}  // namespace rtmixd
