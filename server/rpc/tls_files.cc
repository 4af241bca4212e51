#include "server/rpc/tls_files.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace rtmixd {
namespace {

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

absl::StatusOr<std::string> Read(const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

Bio Reader(const std::string& pem) {
  return {BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free};
}

Certificate FirstCertificate(const std::string& pem) {
  return {PEM_read_bio_X509(Reader(pem).get(), nullptr, nullptr, nullptr), &X509_free};
}

// A key with a passphrase cannot be used: nobody is there to type it.
int NoPassphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*user*/) { return -1; }

absl::Status Unusable(const std::string& path, const std::string& why) {
  ERR_clear_error();
  return absl::InvalidArgumentError(absl::StrCat(path, " ", why));
}

}  // namespace

absl::StatusOr<TlsMaterial> ReadTlsFiles(const TlsMaterial& paths) {
  TlsMaterial read;
  absl::StatusOr<std::string> certificate_pem = Read(paths.certificate);
  if (!certificate_pem.ok()) return certificate_pem.status();
  read.certificate = *std::move(certificate_pem);
  absl::StatusOr<std::string> key_pem = Read(paths.key);
  if (!key_pem.ok()) return key_pem.status();
  read.key = *std::move(key_pem);

  const Certificate certificate = FirstCertificate(read.certificate);
  if (certificate == nullptr) return Unusable(paths.certificate, "has no certificate in PEM");
  const Key key(PEM_read_bio_PrivateKey(Reader(read.key).get(), nullptr, NoPassphrase, nullptr),
                &EVP_PKEY_free);
  if (key == nullptr) return Unusable(paths.key, "has no private key in PEM without a passphrase");
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    return Unusable(paths.key, absl::StrCat("is not the key of ", paths.certificate));
  }
  if (X509_cmp_current_time(X509_get0_notAfter(certificate.get())) < 0) {
    return Unusable(paths.certificate, "has expired");
  }
  if (X509_cmp_current_time(X509_get0_notBefore(certificate.get())) > 0) {
    return Unusable(paths.certificate, "is not valid yet");
  }
  if (paths.client_ca.empty()) return read;
  absl::StatusOr<std::string> client_ca = Read(paths.client_ca);
  if (!client_ca.ok()) return client_ca.status();
  read.client_ca = *std::move(client_ca);
  if (FirstCertificate(read.client_ca) == nullptr) {
    return Unusable(paths.client_ca, "has no certificate in PEM");
  }
  return read;
}

TlsStamps StampsOf(const TlsMaterial& paths) {
  return {.certificate = StampOf(paths.certificate),
          .key = StampOf(paths.key),
          .client_ca = paths.client_ca.empty() ? FileStamp() : StampOf(paths.client_ca)};
}

}  // namespace rtmixd
