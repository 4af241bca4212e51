#ifndef RTMIXD_CLIENT_CPP_RTMIXCTL_JSON_H_
#define RTMIXD_CLIENT_CPP_RTMIXCTL_JSON_H_

#include <google/protobuf/message.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace rtmixd::rtmixctl {

// `message` as protobuf JSON with the names of the proto, zeros included, indented.
std::string ToJson(const google::protobuf::Message& message);
// On one line, for streams of messages.
std::string ToJsonLine(const google::protobuf::Message& message);
// Several messages as one object.
std::string ToJson(
    const std::vector<std::pair<std::string, const google::protobuf::Message*>>& members);

// Fills `message`; INVALID_ARGUMENT, naming `source`, if the text does not fit.
absl::Status FromJson(const std::string& text, const std::string& source,
                      google::protobuf::Message& message);

// A whole file; "-" is stdin.
absl::StatusOr<std::string> ReadTextFile(const std::string& path);
absl::Status WriteTextFile(const std::string& path, const std::string& text);

}  // namespace rtmixd::rtmixctl

#endif  // RTMIXD_CLIENT_CPP_RTMIXCTL_JSON_H_
