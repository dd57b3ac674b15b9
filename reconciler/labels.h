#pragma once

namespace kedge::reconciler {

// Compose's own labels, so that other tools recognise projects and services.
inline constexpr const char* kProjectLabel = "com.docker.compose.project";
inline constexpr const char* kServiceLabel = "com.docker.compose.service";
inline constexpr const char* kNumberLabel = "com.docker.compose.container-number";
inline constexpr const char* kOneoffLabel = "com.docker.compose.oneoff";
inline constexpr const char* kConfigHashLabel = "com.docker.compose.config-hash";
inline constexpr const char* kWorkingDirLabel = "com.docker.compose.project.working_dir";
inline constexpr const char* kConfigFilesLabel = "com.docker.compose.project.config_files";
inline constexpr const char* kImageLabel = "com.docker.compose.image";
inline constexpr const char* kDependsOnLabel = "com.docker.compose.depends_on";
inline constexpr const char* kVersionLabel = "com.docker.compose.version";
inline constexpr const char* kNetworkLabel = "com.docker.compose.network";
inline constexpr const char* kVolumeLabel = "com.docker.compose.volume";
inline constexpr const char* kComposeVersion = "2.0.0";  ///< the generation of labels that these are

// kedge's own. They differ from commit to commit and say nothing about whether a container fits.
inline constexpr const char* kCommitLabel = "io.kedge.commit";
inline constexpr const char* kReleaseLabel = "io.kedge.release";

}  // namespace kedge::reconciler
