#ifndef RTMIXD_SERVER_DEVICE_LIBRARY_IMPORT_H_
#define RTMIXD_SERVER_DEVICE_LIBRARY_IMPORT_H_

#include <functional>
#include <string>

namespace rtmixd {

// What a library calls in place of what it imports as `name`; nullptr leaves that as it is.
using ImportChooser = std::function<void*(const std::string& name)>;

// Makes a library that dlopen has loaded call other functions than those that it was linked with:
// this library alone, by the tables that its calls go through. Returns how many entries were
// replaced. For ELF with RELA relocations, that is, 64-bit machines.
//
// Threading: before any thread runs code of the library.
int ReplaceImports(void* library, const ImportChooser& choose);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_DEVICE_LIBRARY_IMPORT_H_
