#pragma once

#include "base/clock.h"
#include "base/digest.h"
#include "runtime/container_spec.h"

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace kedge::runtime {

/// The registry of names that give none.
inline constexpr std::string_view kDefaultRegistry = "docker.io";

/// An image name, normalised as Docker does: `busybox` has the default registry, path `library/busybox` and tag
/// `latest`.
struct Reference {
    std::string registry;  ///< host[:port]; the default registry is kDefaultRegistry
    std::string path;
    std::string tag;  ///< empty if only a digest was given
    Digest digest;    ///< empty if none was given

    /// Throws Error (invalid_argument, `invalid reference format`).
    static Reference parse(const std::string& text);
    /// With registry, tag and digest: what the store uses as name.
    std::string full() const;
    /// As users see it: without the default registry and `library/`.
    std::string familiar() const;
    bool operator==(const Reference&) const = default;
};

struct Platform {
    std::string os = "linux";
    std::string architecture;  ///< Go's names: amd64, arm64, arm
    std::string variant;
    /// linux/amd64[/v8]. Throws Error.
    static Platform parse(const std::string& text);
    static Platform host();
    std::string str() const;
    bool operator==(const Platform&) const = default;
};

/// The part of an image's config that containers inherit (OCI image-spec, config.md).
struct ImageConfig {
    std::string user;
    std::vector<std::string> environment;
    std::vector<std::string> entrypoint;
    std::vector<std::string> command;
    std::string working_dir;
    std::string stop_signal;
    std::vector<std::string> volumes;
    std::vector<std::string> exposed_ports;  ///< `80/tcp`
    std::map<std::string, std::string> labels;
    std::vector<std::string> shell;
    std::vector<std::string> on_build;  ///< kept for who builds on the image
    std::optional<Healthcheck> healthcheck;
};

struct ImageInfo {
    Digest id;  ///< the config's digest
    Digest manifest;
    Digest index;                           ///< empty if it was not chosen from an index
    std::vector<std::string> tags;          ///< familiar names
    std::vector<std::string> repo_digests;  ///< `name@sha256:...`, for images that came from a registry
    WallTime created;
    int64_t size = 0;  ///< bytes of the unpacked layers
    Platform platform;
    ImageConfig config;
    std::vector<Digest> diff_ids;      ///< lowest layer first
    std::vector<int64_t> layer_sizes;  ///< bytes of each of these, unpacked
    std::string config_json;           ///< the whole config as it is stored
};

/// Progress of something long; `total` 0 means unknown. Called from several threads, one at a time.
struct Progress {
    std::string id;  ///< short layer id, or empty for a message about the whole
    std::string
        status;  ///< Docker's words: `Pulling fs layer`, `Downloading`, `Extracting`, `Pull complete`, `Already exists`
    int64_t current = 0;
    int64_t total = 0;
};
using ProgressSink = std::function<void(const Progress&)>;

struct Credentials {
    std::string username;
    std::string password;
    std::string token;  ///< a bearer token instead
};

struct ImportOptions {
    std::string reference;             ///< the tag; may be empty
    std::vector<std::string> changes;  ///< Dockerfile instructions: `CMD ["sh"]`, `ENV A=b`, ...
    std::string message;
    std::optional<Platform> platform;
};

/// An image that another one becomes by a further layer.
struct ChildImage {
    Digest parent;          ///< image id
    std::string reference;  ///< the tag; may be empty
    std::string author;
    std::string message;
    std::string created_by;  ///< what made the layer
    std::string container;   ///< the id of the container that it was made in
    ImageConfig config;
};

struct PullOptions {
    std::optional<Platform> platform;        ///< empty: the host's
    std::optional<Credentials> credentials;  ///< empty: those of the engine's configuration for that registry
};

/// What a registry has under a name.
struct RemoteImage {
    Digest digest;  ///< of the manifest or index
    std::string media_type;
    int64_t size = 0;  ///< of that document, in bytes
    std::vector<Platform> platforms;
};

struct RemovedImage {
    std::string untagged;  ///< a familiar name, or empty
    Digest deleted;        ///< or empty
    int64_t freed = 0;     ///< bytes, with `deleted`
};

/// Images on this machine. Thread-safe; two pulls of the same layer do the work once.
class Images {
public:
    virtual ~Images() = default;

    /// A root file system tar (plain, gzip, zstd, xz, bzip2) becomes an image of one layer.
    virtual ImageInfo import(int tar_fd, const ImportOptions& options, const ProgressSink& progress = {},
                             std::stop_token stop = {}) = 0;

    /// The tar's layer (OCI image-spec, layer.md, with whiteouts) on top of the parent's. `at_end` is called once the
    /// tar was read to its end; what it throws undoes all. An empty tar adds no layer.
    virtual ImageInfo add_layer(int tar_fd, const ChildImage& child, const std::function<void()>& at_end = {},
                                std::stop_token stop = {}) = 0;

    /// A docker-archive or OCI archive, compressed or not; every image of it. The tags are those of the archive.
    virtual std::vector<ImageInfo> load(int archive_fd, const ProgressSink& progress = {},
                                        std::stop_token stop = {}) = 0;

    /// An archive of images for load() and its like: a docker-archive that is an OCI image layout as well. A name
    /// without tag means all tags of that repository; by id an image comes without names. What is missing is Error, at
    /// once; what comes back then hands over the archive piece by piece, while nothing of it can be removed. `sink`
    /// returns false to end. It throws when content proves to be damaged.
    using Archive = std::function<void(const std::function<bool(std::string_view)>& sink, std::stop_token stop)>;
    virtual Archive save(const std::vector<std::string>& references) = 0;

    /// From a registry (OCI distribution-spec). Everything is verified and unpacked before the name points to it.
    /// Errors: not_found, unauthenticated, permission_denied, unavailable (transient), resource_exhausted (disk, rate).
    virtual ImageInfo pull(const std::string& reference, const PullOptions& options, const ProgressSink& progress = {},
                           std::stop_token stop = {}) = 0;

    /// Asks the registry what it has under a name, and fetches nothing of it. Errors as pull().
    virtual RemoteImage look_up(const std::string& reference, const std::optional<Credentials>& credentials,
                                std::stop_token stop = {}) const = 0;

    /// By name, name@digest, id or unique id prefix. Error not_found: `No such image: x`, which is what clients look
    /// for.
    virtual ImageInfo get(const std::string& reference) const = 0;
    /// Newest first.
    virtual std::vector<ImageInfo> list() const = 0;

    virtual void tag(const std::string& source, const std::string& target) = 0;

    /// Takes one name away, and the image with its last name; with an id, all its names (`force` if there are several).
    /// Conflict when a container or a pin uses it.
    virtual std::vector<RemovedImage> remove(const std::string& reference, bool force) = 0;

    /// Images with these config digests are never removed nor collected. Each owner (a project's kept releases)
    /// replaces its own set. Durable.
    virtual void pin(const std::string& owner, const std::set<Digest>& image_ids) = 0;

    /// Removes images without name, container or pin, and content that no image needs. Returns the bytes freed.
    virtual int64_t collect() = 0;

    /// Layer folders for an overlay mount, topmost first, of an unpacked image.
    virtual std::vector<std::string> layer_folders(const Digest& image_id) const = 0;
};

}  // namespace kedge::runtime
