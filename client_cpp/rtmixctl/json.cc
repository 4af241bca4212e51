#include "client_cpp/rtmixctl/json.h"

#include <google/protobuf/util/json_util.h>

#include <fstream>
#include <iostream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace rtmixd::rtmixctl {
namespace {

std::string Print(const google::protobuf::Message& message, bool whitespace) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = whitespace;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(message, &text, options);
  // Only a malformed message of a library type, such as a time beyond year 9999, cannot be printed.
  return status.ok() ? text : "null";
}

}  // namespace

std::string ToJson(const google::protobuf::Message& message) { return Print(message, true); }

std::string ToJsonLine(const google::protobuf::Message& message) {
  return absl::StrCat(Print(message, false), "\n");
}

std::string ToJson(
    const std::vector<std::pair<std::string, const google::protobuf::Message*>>& members) {
  return absl::StrCat("{",
                      absl::StrJoin(members, ",\n",
                                    [](std::string* out, const auto& member) {
                                      absl::StrAppend(out, "\"", member.first,
                                                      "\": ", ToJson(*member.second));
                                    }),
                      "}\n");
}

absl::Status FromJson(const std::string& text, const std::string& source,
                      google::protobuf::Message& message) {
  const auto status = google::protobuf::util::JsonStringToMessage(text, &message);
  if (status.ok()) return absl::OkStatus();
  // Any JSON object is a Struct, a name that means nothing to people.
  const bool any = message.GetDescriptor()->full_name() == "google.protobuf.Struct";
  return absl::InvalidArgumentError(absl::StrCat(
      source == "-" ? "stdin" : source, " is no ", any ? "object" : message.GetDescriptor()->name(),
      " in JSON: ", std::string(status.message().data(), status.message().size())));
}

absl::StatusOr<std::string> ReadTextFile(const std::string& path) {
  if (path == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(absl::StrCat("cannot read ", path));
  return std::string(std::istreambuf_iterator<char>(file), {});
}

absl::Status WriteTextFile(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  return file ? absl::OkStatus() : absl::UnknownError(absl::StrCat("cannot write ", path));
}

}  // namespace rtmixd::rtmixctl
