#pragma once

#include "base/digest.h"
#include "base/fd.h"
#include "runtime/engine.h"

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

namespace kedge::runtime::test {

/// A temporary folder that goes away with everything in it.
class TemporaryFolder {
public:
    TemporaryFolder();
    ~TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    const std::string& path() const { return path_; }

private:
    std::string path_ = "/tmp/kedge-registry-XXXXXX";
};

/// Runs a program to its end; true if it succeeded. What it says goes to this test's output when it fails.
bool run(const std::vector<std::string>& arguments);

/// A port of 127.0.0.1 that nobody listens on.
int free_port();

/// An image in memory.
struct TestImage {
    struct Layer {
        std::string blob;  ///< gzip
        Digest diff_id;
    };
    std::vector<Layer> layers;
    std::string config;
    std::string manifest;                                 ///< OCI
    const std::string& blob(const Digest& digest) const;  ///< config or layer; throws std::out_of_range
};
using Files = std::map<std::string, std::string>;
TestImage make_image(const std::vector<Files>& layers, const std::string& architecture = "amd64",
                     const std::string& variant = "");

/// Writes an OCI image layout with this one image.
void write_layout(const std::string& folder, const TestImage& image, const std::string& tag);

/// A real registry on a loopback port with its own storage.
class RealRegistry {
public:
    /// With a certificate: https.
    explicit RealRegistry(const std::string& certificate = {}, const std::string& key = {});
    ~RealRegistry();
    RealRegistry(const RealRegistry&) = delete;
    RealRegistry& operator=(const RealRegistry&) = delete;

    std::string host() const;  ///< localhost:port
    /// Puts an image there with skopeo; `format`: oci or v2s2.
    void push(const TestImage& image, const std::string& name, const std::string& format = "oci");

private:
    TemporaryFolder folder_;
    int port_;
    bool tls_;
    pid_t pid_ = -1;
    Fd log_;
};

/// Makes a certificate authority and a certificate for localhost: ca.pem, server.pem, server.key in `folder`.
void make_certificates(const std::string& folder);

}  // namespace kedge::runtime::test
