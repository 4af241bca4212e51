// The path of somebody who looks around without our protos, by grpcurl and its like: services and
// messages from the reflection service, then calls with what was found there.

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/descriptor_database.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/empty.pb.h>
#include <google/protobuf/unknown_field_set.h>
#include <google/protobuf/util/json_util.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/rpc/rpc_test_base.h"

namespace rtmixd {
namespace {

using google::protobuf::UnknownField;
using google::protobuf::UnknownFieldSet;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

// Field numbers of grpc.reflection.v1alpha.
constexpr int kFileContainingSymbol = 4;
constexpr int kListServices = 7;
constexpr int kFileDescriptorResponse = 4;
constexpr int kListServicesResponse = 6;

std::string Serialized(const grpc::ByteBuffer& bytes) {
  std::vector<grpc::Slice> slices;
  std::string text;
  if (!bytes.Dump(&slices).ok()) return text;
  for (const grpc::Slice& slice : slices) {
    text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return text;
}

grpc::ByteBuffer Bytes(const std::string& text) {
  const grpc::Slice slice(text);
  return grpc::ByteBuffer(&slice, 1);
}

// The submessages or strings that field `number` holds.
std::vector<std::string> Values(const std::string& message, int number) {
  google::protobuf::Empty fields;
  EXPECT_TRUE(fields.ParseFromString(message));
  const UnknownFieldSet& all = fields.GetReflection()->GetUnknownFields(fields);
  std::vector<std::string> values;
  for (int i = 0; i < all.field_count(); ++i) {
    const UnknownField& field = all.field(i);
    if (field.number() == number && field.type() == UnknownField::TYPE_LENGTH_DELIMITED) {
      values.push_back(field.length_delimited());
    }
  }
  return values;
}

class ReflectionTest : public RpcTest {
 protected:
  // Calls a method with one message; the first answer.
  grpc::Status Ask(const std::string& method, const std::string& request, std::string* response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    grpc::CompletionQueue queue;
    grpc::GenericStub stub(channel_);
    const auto next = [&queue] {
      void* tag = nullptr;
      bool ok = false;
      return queue.Next(&tag, &ok) && ok;
    };
    const auto call = stub.PrepareCall(&context, method, &queue);
    call->StartCall(nullptr);
    bool ok = next();
    call->WriteLast(Bytes(request), {}, nullptr);
    ok = next() && ok;
    grpc::ByteBuffer answer;
    call->Read(&answer, nullptr);
    if (next() && ok) *response = Serialized(answer);
    grpc::Status status;
    call->Finish(&status, nullptr);
    next();
    queue.Shutdown();
    return status;
  }
  // Asks the reflection service; the answer's field `number`.
  std::string Reflect(int question, const std::string& argument, int number) {
    google::protobuf::Empty request;
    request.GetReflection()->MutableUnknownFields(&request)->AddLengthDelimited(question, argument);
    std::string response;
    const grpc::Status status =
        Ask("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            request.SerializeAsString(), &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    const std::vector<std::string> answers = Values(response, number);
    EXPECT_EQ(answers.size(), 1U) << argument;
    return answers.empty() ? "" : answers.front();
  }
  // Learns the messages that a symbol needs.
  void Learn(const std::string& symbol) {
    for (const std::string& file :
         Values(Reflect(kFileContainingSymbol, symbol, kFileDescriptorResponse), 1)) {
      google::protobuf::FileDescriptorProto descriptor;
      ASSERT_TRUE(descriptor.ParseFromString(file));
      // The same file may come with several symbols.
      google::protobuf::FileDescriptorProto known;
      if (!database_.FindFileByName(descriptor.name(), &known)) database_.Add(descriptor);
    }
  }
  // Calls a method by its name, with JSON for its request; the response in JSON.
  std::string Invoke(const std::string& service, const std::string& method,
                     const std::string& json) {
    Learn(service);
    const auto* const known = pool_.FindServiceByName(service);
    if (known == nullptr || known->FindMethodByName(method) == nullptr) return "no such method";
    const auto* const found = known->FindMethodByName(method);
    const std::unique_ptr<google::protobuf::Message> request(
        factory_.GetPrototype(found->input_type())->New());
    EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(json, request.get()).ok());
    std::string bytes;
    const grpc::Status status =
        Ask("/" + service + "/" + method, request->SerializeAsString(), &bytes);
    EXPECT_TRUE(status.ok()) << status.error_message();
    const std::unique_ptr<google::protobuf::Message> response(
        factory_.GetPrototype(found->output_type())->New());
    EXPECT_TRUE(response->ParseFromString(bytes));
    std::string text;
    EXPECT_TRUE(google::protobuf::util::MessageToJsonString(*response, &text).ok());
    return text;
  }

  google::protobuf::SimpleDescriptorDatabase database_;
  google::protobuf::DescriptorPool pool_{&database_};
  google::protobuf::DynamicMessageFactory factory_{&pool_};
};

TEST_F(ReflectionTest, ListsEveryService) {
  std::vector<std::string> names;
  for (const std::string& service : Values(Reflect(kListServices, "*", kListServicesResponse), 1)) {
    for (const std::string& name : Values(service, 1)) names.push_back(name);
  }
  EXPECT_THAT(names, IsSupersetOf({"rtmixd.v1.ActionService", "rtmixd.v1.AudioService",
                                   "rtmixd.v1.BufferService", "rtmixd.v1.ClockService",
                                   "rtmixd.v1.DeviceService", "rtmixd.v1.EventService",
                                   "rtmixd.v1.ServerInfoService", "rtmixd.v1.SessionService",
                                   "rtmixd.v1.StreamService", "grpc.health.v1.Health"}));
}

TEST_F(ReflectionTest, MethodsCanBeCalledByWhatItTells) {
  const std::string stream = Invoke("rtmixd.v1.StreamService", "GetStream", "{}");
  EXPECT_THAT(stream, HasSubstr("\"state\":\"STREAM_STATE_RUNNING\""));
  EXPECT_THAT(stream, HasSubstr("\"outputChannels\":4"));
  const std::string session =
      Invoke("rtmixd.v1.SessionService", "CreateSession", "{\"label\": \"me\"}");
  EXPECT_THAT(session, HasSubstr("\"label\":\"me\""));
  EXPECT_THAT(session, HasSubstr("\"token\":\""));
}

}  // namespace
}  // namespace rtmixd
