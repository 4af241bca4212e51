#include "server/device/portaudio_library.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/base/error_info.h"
#include "server/device/library_import.h"

namespace rtmixd {
namespace {

constexpr char kSoname[] = "libportaudio.so.2";

// The file of what has been loaded.
std::string FileOf(void* handle) {
  link_map* map = nullptr;
  if (dlinfo(handle, RTLD_DI_LINKMAP, static_cast<void*>(&map)) != 0) return "";
  return map->l_name;
}

// Where the dynamic loader finds the library; loading it does nothing else.
absl::StatusOr<std::string> FindLibraryFile() {
  void* handle = dlopen(kSoname, RTLD_LAZY | RTLD_LOCAL);
  if (handle == nullptr) {
    return absl::NotFoundError(absl::StrCat("PortAudio is not installed: ", dlerror()));
  }
  std::string path = FileOf(handle);
  dlclose(handle);
  if (path.empty()) return absl::NotFoundError(absl::StrCat(kSoname, " has no file"));
  return path;
}

absl::StatusOr<int> CopyToMemory(const std::string& path) {
  const int from = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (from < 0) return absl::NotFoundError(absl::StrCat(path, ": ", std::strerror(errno)));
  const int to = memfd_create("portaudio", MFD_CLOEXEC);
  struct stat status = {};
  bool copied = to >= 0 && fstat(from, &status) == 0;
  for (off_t left = status.st_size; copied && left > 0;) {
    const ssize_t sent = sendfile(to, from, nullptr, left);
    copied = sent > 0;
    left -= sent;
  }
  const int error = errno;
  close(from);
  if (copied) return to;
  if (to >= 0) close(to);
  return absl::InternalError(absl::StrCat("cannot copy ", path, ": ", std::strerror(error)));
}

void IgnoreAlsaError(const char* /*file*/, int /*line*/, const char* /*function*/, int /*error*/,
                     const char* /*format*/, ...) {}
void IgnoreJackMessage(const char* /*message*/) {}

// ALSA's own way to JACK would be a client in the library that all share, of a server that is
// perhaps not that of the clients there. JACK is a host API of PortAudio's anyhow.
constexpr char kJackOfAlsa[] = "jack";
using OpenPcm = int (*)(void** pcm, const char* name, int direction, int mode);
std::atomic<OpenPcm> open_pcm = nullptr;  // ALSA's, the same for all copies

int OpenPcmButJack(void** pcm, const char* name, int direction, int mode) {
  if (std::strcmp(name, kJackOfAlsa) == 0) return -ENODEV;
  return open_pcm.load()(pcm, name, direction, mode);
}

// In place of snd_config_update_free_global, by which PortAudio ends: ALSA's configuration belongs
// to all copies, and one that is just being initialised would find no devices.
int KeepConfiguration() { return 0; }

// In place of assert's way to abort: the thread that met the failed assertion stays where it is.
[[noreturn]] void StandStill(const char* assertion, const char* file, unsigned line,
                             const char* /*function*/) {
  std::fprintf(stderr, "PortAudio's \"%s\" failed (%s:%u); what used it is left behind\n",
               assertion, file, line);
  while (true) pause();
}

}  // namespace

absl::StatusOr<PrivateLibrary> PrivateLibrary::Load(const std::string& path) {
  const absl::StatusOr<int> fd = CopyToMemory(path);
  if (!fd.ok()) return fd.status();
  PrivateLibrary library;
  library.fd_ = *fd;
  library.handle_ = dlopen(absl::StrCat("/proc/self/fd/", *fd).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library.handle_ == nullptr) {
    return absl::InternalError(absl::StrCat("cannot load a copy of ", path, ": ", dlerror()));
  }
  return library;
}

PrivateLibrary::~PrivateLibrary() {
  if (handle_ != nullptr) dlclose(handle_);
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<std::unique_ptr<PortAudioLibrary>> PortAudioLibrary::Load(bool own_jack) {
  const absl::StatusOr<std::string> path = FindLibraryFile();
  if (!path.ok()) return path.status();
  absl::StatusOr<PrivateLibrary> copy = PrivateLibrary::Load(*path);
  if (!copy.ok()) return copy.status();
  std::unique_ptr<PortAudioLibrary> library(new PortAudioLibrary(*std::move(copy)));
  absl::Status found = library->FindFunctions();
  if (!found.ok()) return found;
  if (own_jack) {
    absl::Status loaded = library->LoadOwnJack();
    if (!loaded.ok()) return loaded;
  }
  library->Quieten();
  open_pcm = reinterpret_cast<OpenPcm>(dlsym(library->copy_.handle(), "snd_pcm_open"));
  ReplaceImports(library->copy_.handle(), [](const std::string& name) -> void* {
    if (name == "__assert_fail") return reinterpret_cast<void*>(&StandStill);
    if (name == "snd_config_update_free_global") return reinterpret_cast<void*>(&KeepConfiguration);
    if (name == "snd_pcm_open") return reinterpret_cast<void*>(&OpenPcmButJack);
    return nullptr;
  });
  return library;
}

absl::Status PortAudioLibrary::LoadOwnJack() {
  Dl_info shared = {};
  void* const open = dlsym(copy_.handle(), "jack_client_open");
  if (open == nullptr || dladdr(open, &shared) == 0) return absl::OkStatus();  // built without it
  absl::StatusOr<PrivateLibrary> jack = PrivateLibrary::Load(shared.dli_fname);
  if (!jack.ok()) return jack.status();
  jack_ = *std::move(jack);
  ReplaceImports(copy_.handle(), [this](const std::string& name) {
    return absl::StartsWith(name, "jack_") ? dlsym(jack_.handle(), name.c_str()) : nullptr;
  });
  return absl::OkStatus();
}

PortAudioLibrary::~PortAudioLibrary() {
  // JACK's library may be shared with other copies, and PortAudio gave it a function of this one to
  // report errors to; clients that were left behind go on having errors.
  if (copy_.handle() != nullptr) Quieten();
}

absl::Status PortAudioLibrary::FindFunctions() {
  std::string missing;
  const auto find = [&](auto& function, const char* name, bool required) {
    function =
        reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(copy_.handle(), name));
    if (function == nullptr && required) absl::StrAppend(&missing, " ", name);
  };
  find(Initialize, "Pa_Initialize", true);
  find(Terminate, "Pa_Terminate", true);
  find(GetErrorText, "Pa_GetErrorText", true);
  find(GetLastHostErrorInfo, "Pa_GetLastHostErrorInfo", true);
  find(GetHostApiCount, "Pa_GetHostApiCount", true);
  find(GetHostApiInfo, "Pa_GetHostApiInfo", true);
  find(GetDeviceCount, "Pa_GetDeviceCount", true);
  find(GetDeviceInfo, "Pa_GetDeviceInfo", true);
  find(GetDefaultInputDevice, "Pa_GetDefaultInputDevice", true);
  find(GetDefaultOutputDevice, "Pa_GetDefaultOutputDevice", true);
  find(IsFormatSupported, "Pa_IsFormatSupported", true);
  find(OpenStream, "Pa_OpenStream", true);
  find(CloseStream, "Pa_CloseStream", true);
  find(StartStream, "Pa_StartStream", true);
  find(StopStream, "Pa_StopStream", true);
  find(AbortStream, "Pa_AbortStream", true);
  find(IsStreamActive, "Pa_IsStreamActive", true);
  find(GetStreamInfo, "Pa_GetStreamInfo", true);
  find(SetStreamFinishedCallback, "Pa_SetStreamFinishedCallback", true);
  find(JackSetClientName, "PaJack_SetClientName", false);
  find(AlsaSetNumPeriods, "PaAlsa_SetNumPeriods", false);
  find(AlsaEnableRealtimeScheduling, "PaAlsa_EnableRealtimeScheduling", false);
  if (missing.empty()) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(kSoname, " lacks", missing));
}

// ALSA and JACK write to stderr about every device that is not there; what matters comes back as an
// error code.
void PortAudioLibrary::Quieten() {
  using AlsaHandler = void (*)(const char*, int, const char*, int, const char*, ...);
  using JackHandler = void (*)(const char*);
  if (void* set = dlsym(copy_.handle(), "snd_lib_error_set_handler"); set != nullptr) {
    reinterpret_cast<int (*)(AlsaHandler)>(set)(&IgnoreAlsaError);
  }
  for (const char* name : {"jack_set_error_function", "jack_set_info_function"}) {
    if (void* set = dlsym(jack_handle(), name); set != nullptr) {
      reinterpret_cast<void (*)(JackHandler)>(set)(&IgnoreJackMessage);
    }
  }
}

std::string PortAudioLibrary::jack_version() const {
  void* get = dlsym(jack_handle(), "jack_get_version_string");
  if (get == nullptr) return "";
  const char* version = reinterpret_cast<const char* (*)()>(get)();
  return version == nullptr ? "" : version;
}

absl::Status PortAudioLibrary::ToStatus(PaError error, const std::string& what) const {
  std::string text =
      absl::StrFormat("%s: %s (PortAudio error %d)", what, GetErrorText(error), error);
  if (error == paUnanticipatedHostError) {
    const PaHostErrorInfo* host = GetLastHostErrorInfo();
    if (host != nullptr && host->errorText != nullptr) {
      absl::StrAppendFormat(&text, ", host: %s (%d)", host->errorText, host->errorCode);
    }
  }
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.reason = ErrorReason::kDeviceError,
                    .host_error_code = error,
                    .host_error_text = GetErrorText(error)},
                   text);
}

}  // namespace rtmixd
