#include "client_cpp/record_window.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

#include "client_cpp/audio.h"

namespace rtmixd::client {
namespace {

std::vector<float> Ramp(int64_t first, int64_t frames) {
  std::vector<float> ramp(static_cast<size_t>(frames));
  std::iota(ramp.begin(), ramp.end(), static_cast<float>(first));
  return ramp;
}

std::string RampBytes(int64_t first, int64_t frames) { return EncodeFloat32(Ramp(first, frames)); }

RecordWindow Mono(int64_t capacity_frames) {
  RecordWindow window(capacity_frames);
  window.SetChannels(1);
  return window;
}

TEST(RecordWindowTest, ComesOutAsItCameIn) {
  RecordWindow window = Mono(100);
  ASSERT_TRUE(window.Receive(0, RampBytes(0, 10)).ok());
  ASSERT_TRUE(window.Receive(10, RampBytes(10, 5)).ok());
  const auto first = window.Take(100);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->position, 0);
  EXPECT_EQ(first->samples, Ramp(0, 10));
  EXPECT_EQ(window.Take(100)->samples, Ramp(10, 5));
  EXPECT_FALSE(window.Take(100).has_value());
}

TEST(RecordWindowTest, TakesNoMoreThanAsked) {
  RecordWindow window = Mono(100);
  ASSERT_TRUE(window.Receive(0, RampBytes(0, 10)).ok());
  EXPECT_EQ(window.Take(4)->samples, Ramp(0, 4));
  const auto rest = window.Take(100);
  EXPECT_EQ(rest->position, 4);
  EXPECT_EQ(rest->samples, Ramp(4, 6));
}

TEST(RecordWindowTest, GrantsTheRoomThatWasMade) {
  RecordWindow window = Mono(8);
  window.Told();
  EXPECT_EQ(window.granted_position(), 8);
  ASSERT_TRUE(window.Receive(0, RampBytes(0, 8)).ok());
  EXPECT_FALSE(window.NextGrant().has_value());
  window.Take(1);
  EXPECT_FALSE(window.NextGrant().has_value()) << "an eighth is not worth a message";
  window.Take(1);
  EXPECT_EQ(window.NextGrant(), 10);
  EXPECT_FALSE(window.NextGrant().has_value());
}

TEST(RecordWindowTest, AudioBeyondTheGrantIsAnError) {
  RecordWindow window = Mono(8);
  EXPECT_TRUE(window.Receive(0, RampBytes(0, 8)).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(window.Receive(8, RampBytes(8, 1))));
}

TEST(RecordWindowTest, JumpIsALoss) {
  RecordWindow window = Mono(100);
  ASSERT_TRUE(window.Receive(0, RampBytes(0, 10)).ok());
  ASSERT_TRUE(window.Receive(14, RampBytes(14, 2)).ok());
  EXPECT_EQ(window.Take(100)->lost_frames, 0);
  const auto after = window.Take(100);
  EXPECT_EQ(after->position, 14);
  EXPECT_EQ(after->lost_frames, 4);
  EXPECT_EQ(window.lost_frames(), 4);
}

TEST(RecordWindowTest, LossIsToldOnceWhenItsAudioIsTakenInParts) {
  RecordWindow window = Mono(100);
  ASSERT_TRUE(window.Receive(3, RampBytes(3, 4)).ok());
  EXPECT_EQ(window.Take(2)->lost_frames, 3);
  EXPECT_EQ(window.Take(2)->lost_frames, 0);
}

TEST(RecordWindowTest, LossBeyondAllCreditIsNoDeadlock) {
  RecordWindow window = Mono(8);
  ASSERT_TRUE(window.Receive(0, RampBytes(0, 8)).ok());
  window.Resume(50);
  window.Take(100);
  EXPECT_EQ(window.granted_position(), 58);
  window.Resume(100);
  EXPECT_EQ(window.granted_position(), 108);
}

TEST(RecordWindowTest, WhatIsThereAlreadyIsIgnored) {
  RecordWindow window = Mono(100);
  ASSERT_TRUE(window.Receive(0, RampBytes(0, 10)).ok());
  ASSERT_TRUE(window.Receive(4, RampBytes(4, 3)).ok());
  ASSERT_TRUE(window.Receive(8, RampBytes(8, 4)).ok());
  EXPECT_EQ(window.Take(100)->samples, Ramp(0, 10));
  const auto rest = window.Take(100);
  EXPECT_EQ(rest->position, 10);
  EXPECT_EQ(rest->samples, Ramp(10, 2));
  EXPECT_EQ(window.lost_frames(), 0);
}

TEST(RecordWindowTest, ResumesWhereItWas) {
  RecordWindow window = Mono(100);
  ASSERT_TRUE(window.Receive(0, RampBytes(0, 10)).ok());
  EXPECT_EQ(window.received_position(), 10);
  window.Resume(10);
  ASSERT_TRUE(window.Receive(10, RampBytes(10, 2)).ok());
  EXPECT_EQ(window.lost_frames(), 0);
}

TEST(RecordWindowTest, ResumingLaterIsALoss) {
  RecordWindow window = Mono(100);
  ASSERT_TRUE(window.Receive(0, RampBytes(0, 10)).ok());
  window.Resume(15);
  EXPECT_EQ(window.lost_frames(), 5);
  ASSERT_TRUE(window.Receive(15, RampBytes(15, 2)).ok());
  window.Take(100);
  EXPECT_EQ(window.Take(100)->lost_frames, 5);
}

}  // namespace
}  // namespace rtmixd::client
