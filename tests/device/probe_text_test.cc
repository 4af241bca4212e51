#include "server/device/probe_text.h"

#include <string>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "server/device/audio_device.h"
#include "server/device/device_list.h"

namespace rtmixd {
namespace {

DeviceList List() {
  DeviceList list;
  list.host_apis = {{"alsa", "ALSA", 1, "", "alsa/odd\tname\n\"2\" \\ \xC3\xA4"}};
  DeviceInfo& device = list.devices.emplace_back();
  device.id = "alsa/odd\tname\n\"2\" \\ \xC3\xA4";
  device.index = 0;
  device.name = "odd\tname\n\"2\" \\ \xC3\xA4";
  device.host_api_id = "alsa";
  device.max_input_channels = 3;
  device.max_output_channels = 64;
  device.default_sample_rate_hz = 44100.1;
  device.default_low_input_latency_seconds = 1.0 / 3;
  device.default_low_output_latency_seconds = 0.1;
  device.default_high_input_latency_seconds = -1;
  device.default_high_output_latency_seconds = 89478.5;
  list.default_output_index = 0;
  return list;
}

TEST(ProbeTextTest, DeviceListComesBackAsItWas) {
  const DeviceList list = List();
  const auto read = DeviceListFromText(DeviceListToText(list));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->default_input_index, -1);
  EXPECT_EQ(read->default_output_index, 0);
  ASSERT_EQ(read->host_apis.size(), 1U);
  EXPECT_EQ(read->host_apis[0].id, "alsa");
  EXPECT_EQ(read->host_apis[0].name, "ALSA");
  EXPECT_EQ(read->host_apis[0].device_count, 1);
  EXPECT_EQ(read->host_apis[0].default_input_device_id, "");
  EXPECT_EQ(read->host_apis[0].default_output_device_id, list.devices[0].id);
  ASSERT_EQ(read->devices.size(), 1U);
  const DeviceInfo& device = read->devices[0];
  EXPECT_EQ(device.id, list.devices[0].id);
  EXPECT_EQ(device.index, 0);
  EXPECT_EQ(device.name, list.devices[0].name);
  EXPECT_EQ(device.host_api_id, "alsa");
  EXPECT_EQ(device.max_input_channels, 3);
  EXPECT_EQ(device.max_output_channels, 64);
  EXPECT_EQ(device.default_sample_rate_hz, 44100.1);
  EXPECT_EQ(device.default_low_input_latency_seconds, 1.0 / 3);
  EXPECT_EQ(device.default_low_output_latency_seconds, 0.1);
  EXPECT_EQ(device.default_high_input_latency_seconds, -1);
  EXPECT_EQ(device.default_high_output_latency_seconds, 89478.5);
}

TEST(ProbeTextTest, SettingsComeBackAsTheyWere) {
  StreamSettings settings;
  settings.sample_rate_hz = 44100;
  settings.block_frames = 128;
  settings.input.device = "jack/\tsystem";
  settings.input.channels = 2;
  settings.input.latency = {LatencyRequest::Kind::kSeconds, 0.0123};
  settings.output.latency.kind = LatencyRequest::Kind::kHigh;
  settings.output.host_settings = {{"alsa.periods", "3"}, {"x", ""}};
  const auto read = SettingsFromText(SettingsToText(settings));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, settings);
}

TEST(ProbeTextTest, StatusesComeBackAsTheyWereAndAreNoLists) {
  absl::Status read;
  ASSERT_TRUE(StatusFromText(StatusToText(absl::NotFoundError("no\n\"device\"")), &read));
  EXPECT_EQ(read, absl::NotFoundError("no\n\"device\""));
  ASSERT_TRUE(StatusFromText(StatusToText(absl::OkStatus()), &read));
  EXPECT_TRUE(read.ok());
  EXPECT_FALSE(StatusFromText(DeviceListToText(List()), &read));
  EXPECT_FALSE(DeviceListFromText(StatusToText(absl::OkStatus())).ok());
}

TEST(ProbeTextTest, EveryTextThatIsCutShortIsRefused) {
  const std::string text = DeviceListToText(List());
  for (size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(IsCompleteText(text.substr(0, size))) << size;
    EXPECT_FALSE(DeviceListFromText(text.substr(0, size)).ok()) << size;
  }
  EXPECT_TRUE(IsCompleteText(text));
}

TEST(ProbeTextTest, LinesOfAnotherShapeAreRefused) {
  for (const char* text :
       {"defaults\t1\nend\n", "defaults\t1\t2\t3\nend\n", "defaults\tx\t1\nend\n",
        "host_api\ta\\\tb\t1\tc\td\nend\n", "table\t1\nend\n"}) {
    EXPECT_FALSE(DeviceListFromText(text).ok()) << text;
  }
  EXPECT_FALSE(SettingsFromText("input\t\t2\t3\t0\nend\n").ok()) << "a latency kind too many";
}

}  // namespace
}  // namespace rtmixd
