#include "server/device/device_list.h"

#include <cmath>
#include <string>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace rtmixd {
namespace {

using ::testing::HasSubstr;

DeviceInfo Device(int index, const std::string& api, const std::string& name, int inputs,
                  int outputs) {
  DeviceInfo device;
  device.index = index;
  device.id = api + "/" + name;
  device.name = name;
  device.host_api_id = api;
  device.max_input_channels = inputs;
  device.max_output_channels = outputs;
  device.default_sample_rate_hz = 44100 + index;
  return device;
}

DeviceList List() {
  DeviceList list;
  list.host_apis = {{"jack", "JACK Audio Connection Kit", 2, "", ""}, {"alsa", "ALSA", 2, "", ""}};
  list.devices = {Device(0, "jack", "system", 2, 2), Device(1, "jack", "loopback", 4, 4),
                  Device(2, "alsa", "Fireface (hw:0,0)", 18, 0),
                  Device(3, "alsa", "Fireface (hw:0,1)", 0, 18)};
  list.default_input_index = 0;
  list.default_output_index = 3;
  return list;
}

StreamSettings Settings(const std::string& input, int inputs, const std::string& output,
                        int outputs) {
  StreamSettings settings;
  settings.input.device = input;
  settings.input.channels = inputs;
  settings.output.device = output;
  settings.output.channels = outputs;
  return settings;
}

void ExpectRefused(const StreamSettings& settings, absl::StatusCode code, const std::string& text) {
  const auto resolved = ResolveSettings(List(), settings);
  ASSERT_FALSE(resolved.ok());
  EXPECT_EQ(resolved.status().code(), code);
  EXPECT_THAT(std::string(resolved.status().message()), HasSubstr(text));
}

TEST(DeviceListTest, EmptyNamesAreTheDefaultsAndTheOutputSetsTheRate) {
  const auto resolved = ResolveSettings(List(), Settings("", 2, "", 2));
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_EQ(resolved->input_device.id, "jack/system");
  EXPECT_EQ(resolved->output_device.id, "alsa/Fireface (hw:0,1)");
  EXPECT_EQ(resolved->sample_rate_hz, 44103);
}

TEST(DeviceListTest, InputSetsTheRateOfAStreamWithoutOutput) {
  const auto resolved = ResolveSettings(List(), Settings("1", 1, "nonsense", 0));
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_EQ(resolved->sample_rate_hz, 44101);
  EXPECT_EQ(resolved->output_device.index, -1);
}

TEST(DeviceListTest, AskedRateWins) {
  StreamSettings settings = Settings("", 2, "", 2);
  settings.sample_rate_hz = 96000;
  EXPECT_EQ(ResolveSettings(List(), settings)->sample_rate_hz, 96000);
}

TEST(DeviceListTest, DevicesAreFoundByIdIndexAndSubstringInAnyCase) {
  for (const char* name : {"jack/loopback", "1", "loopb", "KIT: LOOP"}) {
    const auto resolved = ResolveSettings(List(), Settings(name, 1, name, 1));
    ASSERT_TRUE(resolved.ok()) << name << " " << resolved.status();
    EXPECT_EQ(resolved->input_device.id, "jack/loopback") << name;
    EXPECT_EQ(resolved->output_device.id, "jack/loopback") << name;
  }
}

TEST(DeviceListTest, SubstringCountsOnlyDevicesOfItsDirection) {
  const auto resolved = ResolveSettings(List(), Settings("fireface", 1, "fireface", 1));
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_EQ(resolved->input_device.index, 2);
  EXPECT_EQ(resolved->output_device.index, 3);
}

TEST(DeviceListTest, AllChannelsAreWhatTheDeviceHas) {
  constexpr int kAll = DirectionSettings::kAllChannels;
  const auto both = ResolveSettings(List(), Settings("", kAll, "", kAll));
  ASSERT_TRUE(both.ok()) << both.status();
  EXPECT_EQ(both->input_channels, 2);
  EXPECT_EQ(both->output_channels, 18);
  DeviceList no_input = List();
  no_input.default_input_index = -1;
  const auto output = ResolveSettings(no_input, Settings("", kAll, "", kAll));
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_EQ(output->input_channels, 0);
  EXPECT_EQ(output->input_device.index, -1);
  EXPECT_EQ(output->output_channels, 18);
  ExpectRefused(Settings("3", kAll, "", kAll), absl::StatusCode::kInvalidArgument,
                "input.channels is all; must be 0: alsa/Fireface (hw:0,1) has none");
  EXPECT_EQ(ResolveSettings(DeviceList{}, Settings("", kAll, "", kAll)).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(DeviceListTest, WrongNamesAreRefused) {
  ExpectRefused(Settings("tape", 1, "", 0), absl::StatusCode::kNotFound, "input.device \"tape\"");
  ExpectRefused(Settings("", 0, "4", 1), absl::StatusCode::kNotFound,
                "output.device index 4 is not in 0 to 3");
  ExpectRefused(Settings("jack audio", 1, "", 0), absl::StatusCode::kInvalidArgument,
                "it matches 2 (jack/system, jack/loopback)");
  DeviceList none;
  EXPECT_EQ(ResolveSettings(none, Settings("", 0, "", 1)).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(DeviceListTest, WrongNumbersAreRefusedWithFieldValueAndLimit) {
  const auto invalid = absl::StatusCode::kInvalidArgument;
  ExpectRefused(Settings("", 0, "", 0), invalid, "output.channels is 0, as input.channels is");
  ExpectRefused(Settings("", -2, "", 2), invalid, "input.channels is -2");
  ExpectRefused(Settings("", 3, "", 2), invalid,
                "input.channels is 3; must be 1 to 2, those of jack/system");
  ExpectRefused(Settings("", 0, "2", 1), invalid, "output.channels is 1; must be 0: alsa/Fireface");
  StreamSettings settings = Settings("", 2, "", 2);
  settings.block_frames = 8193;
  ExpectRefused(settings, invalid, "block_frames is 8193; must be 0 to 8192");
  settings.block_frames = 0;
  for (const double rate : {-1.0, 2e6, std::nan(""), HUGE_VAL}) {
    settings.sample_rate_hz = rate;
    ExpectRefused(settings, invalid, "sample_rate_hz is ");
  }
  settings.sample_rate_hz = 0;
  for (const double seconds : {-0.1, 11.0, std::nan("")}) {
    settings.output.latency = {LatencyRequest::Kind::kSeconds, seconds};
    ExpectRefused(settings, invalid, "output.latency_seconds is ");
  }
}

}  // namespace
}  // namespace rtmixd
