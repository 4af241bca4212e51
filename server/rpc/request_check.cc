#include "server/rpc/request_check.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/unknown_field_set.h>

#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"

namespace rtmixd {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Of one repeated field: more than any limit of the server lets one call have use for, and few
// enough to be looked at and converted without further thought. Millions fit into a message.
constexpr int kMaxEntries = 100'000;

absl::Status Unknown(const std::string& field, const std::string& value, const std::string& limit) {
  return MakeError(
      absl::StatusCode::kInvalidArgument,
      {.reason = ErrorReason::kUnknownField, .field = field, .value = value, .limit = limit});
}

absl::Status CheckNumber(double value, const std::string& path) {
  if (std::isfinite(value)) return absl::OkStatus();
  return BadField(path, absl::StrCat(value), "finite");
}

// `index` is -1 for a field that is not repeated.
absl::Status CheckValue(const Message& message, const FieldDescriptor& field, int index,
                        const std::string& path);

absl::Status CheckMessage(const Message& message, const std::string& prefix) {
  const Reflection& reflection = *message.GetReflection();
  const google::protobuf::UnknownFieldSet& unknown = reflection.GetUnknownFields(message);
  if (unknown.field_count() > 0) {
    return Unknown(absl::StrCat(prefix, "#", unknown.field(0).number()), "present",
                   absl::StrCat("a field of ", message.GetDescriptor()->full_name(),
                                " that this server knows"));
  }
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const std::string path = absl::StrCat(prefix, field->name());
    if (!field->is_repeated()) {
      if (absl::Status status = CheckValue(message, *field, -1, path); !status.ok()) return status;
      continue;
    }
    const int size = reflection.FieldSize(message, field);
    if (size > kMaxEntries) {
      return BadField(path, absl::StrCat(size, " entries"),
                      absl::StrCat("at most ", kMaxEntries, " entries"));
    }
    for (int i = 0; i < size; ++i) {
      absl::Status status = CheckValue(message, *field, i, absl::StrCat(path, "[", i, "]"));
      if (!status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

absl::Status CheckValue(const Message& message, const FieldDescriptor& field, int index,
                        const std::string& path) {
  const Reflection& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_ENUM: {
      const int value = index < 0 ? reflection.GetEnumValue(message, &field)
                                  : reflection.GetRepeatedEnumValue(message, &field, index);
      if (field.enum_type()->FindValueByNumber(value) != nullptr) return absl::OkStatus();
      return Unknown(path, absl::StrCat(value),
                     absl::StrCat("a value of ", field.enum_type()->full_name()));
    }
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return CheckNumber(index < 0 ? reflection.GetDouble(message, &field)
                                   : reflection.GetRepeatedDouble(message, &field, index),
                         path);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return CheckNumber(index < 0 ? reflection.GetFloat(message, &field)
                                   : reflection.GetRepeatedFloat(message, &field, index),
                         path);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return CheckMessage(index < 0 ? reflection.GetMessage(message, &field)
                                    : reflection.GetRepeatedMessage(message, &field, index),
                          path + ".");
    default:
      return absl::OkStatus();
  }
}

}  // namespace

absl::Status CheckRequest(const Message& request) { return CheckMessage(request, ""); }

}  // namespace rtmixd
