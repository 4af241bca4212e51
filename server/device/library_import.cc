#include "server/device/library_import.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

namespace rtmixd {
namespace {

struct Relocations {
  const ElfW(Rela) * first = nullptr;
  size_t bytes = 0;
};

struct ImportTables {
  Relocations calls;
  Relocations others;  // of which some are functions, too, whose addresses the library takes
  const ElfW(Sym) * symbols = nullptr;
  const char* strings = nullptr;
};

ImportTables FindTables(const link_map& library) {
  ImportTables tables;
  for (const ElfW(Dyn)* entry = library.l_ld; entry->d_tag != DT_NULL; ++entry) {
    // Some loaders leave addresses here as they are in the file.
    ElfW(Addr) address = entry->d_un.d_ptr;
    if (address < library.l_addr) address += library.l_addr;
    switch (entry->d_tag) {
      case DT_JMPREL:
        // NOLINTNEXTLINE(performance-no-int-to-ptr): that is what the loader tells
        tables.calls.first = reinterpret_cast<const ElfW(Rela)*>(address);
        break;
      case DT_PLTRELSZ:
        tables.calls.bytes = entry->d_un.d_val;
        break;
      case DT_RELA:
        // NOLINTNEXTLINE(performance-no-int-to-ptr)
        tables.others.first = reinterpret_cast<const ElfW(Rela)*>(address);
        break;
      case DT_RELASZ:
        tables.others.bytes = entry->d_un.d_val;
        break;
      case DT_SYMTAB:
        // NOLINTNEXTLINE(performance-no-int-to-ptr)
        tables.symbols = reinterpret_cast<const ElfW(Sym)*>(address);
        break;
      case DT_STRTAB:
        // NOLINTNEXTLINE(performance-no-int-to-ptr)
        tables.strings = reinterpret_cast<const char*>(address);
        break;
      default:
        break;
    }
  }
  return tables;
}

// The loader has made the table read-only if all of it was resolved at once; it stays writable, for
// its page may hold variables of the library.
bool WriteThrough(ElfW(Addr) at, void* value) {
  const auto page_bytes = static_cast<ElfW(Addr)>(sysconf(_SC_PAGESIZE));
  // NOLINTNEXTLINE(performance-no-int-to-ptr)
  void* const page = reinterpret_cast<void*>(at & ~(page_bytes - 1));
  if (mprotect(page, page_bytes, PROT_READ | PROT_WRITE) != 0) return false;
  // NOLINTNEXTLINE(performance-no-int-to-ptr)
  *reinterpret_cast<void**>(at) = value;
  return true;
}

}  // namespace

int ReplaceImports(void* library, const ImportChooser& choose) {
  link_map* map = nullptr;
  if (dlinfo(library, RTLD_DI_LINKMAP, static_cast<void*>(&map)) != 0) return 0;
  const ImportTables tables = FindTables(*map);
  if (tables.symbols == nullptr || tables.strings == nullptr) return 0;
  int replaced = 0;
  for (const Relocations& relocations : {tables.calls, tables.others}) {
    for (size_t i = 0; i < relocations.bytes / sizeof(ElfW(Rela)); ++i) {
      const ElfW(Rela)& relocation = relocations.first[i];
      const ElfW(Sym)& symbol = tables.symbols[ELF64_R_SYM(relocation.r_info)];
      if (symbol.st_name == 0 || symbol.st_shndx != SHN_UNDEF) continue;
      void* const function = choose(tables.strings + symbol.st_name);
      if (function == nullptr) continue;
      if (WriteThrough(map->l_addr + relocation.r_offset, function)) ++replaced;
    }
  }
  return replaced;
}

}  // namespace rtmixd
