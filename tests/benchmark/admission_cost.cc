// What it costs that every call is admitted: round trips of one unary call without any service of
// ours behind it, to a server with gRPC's own credentials for plain text and to one with ours and
// tokens, in turn. Prints the median round trip of each in microseconds, the median of the
// differences, and how long Admit alone takes.
//
//   bazel run --config=opt //tests/benchmark:admission_cost

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/rpc/access.h"
#include "server/rpc/listen_credentials.h"

namespace {

constexpr int kRounds = 20'000;
constexpr int kTokens = 20;
constexpr char kAuthorization[] = "Bearer token-of-holder-number-10";

struct Peer {
  // Not called; without one there would be no threads for the health service either.
  std::unique_ptr<grpc::CallbackGenericService> other =
      std::make_unique<grpc::CallbackGenericService>();
  std::unique_ptr<grpc::Server> server;
  std::unique_ptr<grpc::GenericStub> stub;
};

Peer Start(const std::shared_ptr<grpc::ServerCredentials>& credentials) {
  Peer peer;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", credentials, &port);
  builder.RegisterCallbackGenericService(peer.other.get());
  peer.server = builder.BuildAndStart();
  peer.stub = std::make_unique<grpc::GenericStub>(
      grpc::CreateChannel(absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials()));
  return peer;
}

double RoundTripMicros(const Peer& peer, grpc::CompletionQueue& queue) {
  grpc::ClientContext context;
  context.AddMetadata("authorization", kAuthorization);
  const grpc::Slice empty("");
  const absl::Time begin = absl::Now();
  const auto call = peer.stub->PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check",
                                                grpc::ByteBuffer(&empty, 1), &queue);
  call->StartCall();
  grpc::ByteBuffer answer;
  grpc::Status status;
  call->Finish(&answer, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", status.error_message().c_str());
    std::exit(1);
  }
  return absl::ToDoubleMicroseconds(absl::Now() - begin);
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

}  // namespace

int main() {
  const std::string path = absl::StrCat("/tmp/admission_cost.", getpid());
  {
    std::ofstream file(path);
    for (int i = 0; i < kTokens; ++i)
      file << "play holder" << i << " token-of-holder-number-" << i << "\n";
  }
  chmod(path.c_str(), 0600);
  auto access = rtmixd::Access::Create(
      {.token_file = path, .max_calls_per_second = 100'000'000, .monotonic = {}, .log = {}});
  std::remove(path.c_str());
  if (!access.ok()) return 1;
  const auto credentials = rtmixd::MakeListenCredentials({}, access->get(), {});
  if (!credentials.ok()) return 1;
  grpc::EnableDefaultHealthCheckService(true);
  const Peer without = Start(grpc::InsecureServerCredentials());
  const Peer with = Start(*credentials);
  grpc::CompletionQueue queue;
  std::vector<double> plain;
  std::vector<double> admitted;
  std::vector<double> differences;
  for (int i = 0; i < kRounds; ++i) {
    const bool swapped = i % 2 == 1;
    double first = RoundTripMicros(swapped ? with : without, queue);
    double second = RoundTripMicros(swapped ? without : with, queue);
    if (swapped) std::swap(first, second);
    if (i < kRounds / 10) continue;  // until all is warm
    plain.push_back(first);
    admitted.push_back(second);
    differences.push_back(second - first);
  }
  const absl::Time begin = absl::Now();
  for (int i = 0; i < kRounds; ++i) {
    (*access)->Admit("/grpc.health.v1.Health/Check", kAuthorization).IgnoreError();
  }
  const double alone = absl::ToDoubleMicroseconds(absl::Now() - begin) / kRounds;
  std::printf(
      "without %.1f us, with %.1f us, difference %.2f us, Admit alone %.2f us (%d tokens)\n",
      Median(plain), Median(admitted), Median(differences), alone, kTokens);
  without.server->Shutdown();
  with.server->Shutdown();
  return 0;
}
