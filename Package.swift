// swift-tools-version: 6.1
import PackageDescription

// The house stands in one direction: a target imports those above it in this list, never those below.

let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]
/// For what is waited for by people and not by data: a third of the program, which has to fit into an initramfs and onto a small disk.
let small = swiftSettings + [.unsafeFlags(["-Osize"], .when(configuration: .release))]

var targets: [Target] = [
    // Libraries of the system, and the calls that Swift's Glibc module does not show.
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
    .target(name: "CLinux", cSettings: [.define("_GNU_SOURCE")]),
    // The headers of libarchive-dev; the library itself is loaded where archives are read and written.
    .target(name: "CArchive"),
    // The same for libcurl4-openssl-dev, where an object store is used.
    .target(name: "CCurl"),
    // And for libqrencode-dev, where a key is put on paper.
    .target(name: "CQRCode"),
    // Headers alone (libtomlplusplus-dev). The C++ library that this needs at run time is the one that Swift's own needs.
    .target(name: "CTOML"),

    .target(name: "Reporting", swiftSettings: swiftSettings),
    .target(name: "Platform", dependencies: ["Reporting", "CLinux"], swiftSettings: swiftSettings),
    .target(
        name: "Cryptography", dependencies: ["Reporting", "CCrypto", "CSodium", "CLinux"], swiftSettings: swiftSettings),
    .target(name: "Machine", dependencies: ["Platform", "Cryptography", "Reporting"], swiftSettings: small),
    .target(name: "AuditLog", dependencies: ["Platform", "Cryptography", "Reporting"], swiftSettings: small),
    .target(
        name: "Stores", dependencies: ["Platform", "Cryptography", "Reporting", "CCurl"], swiftSettings: swiftSettings),
    .target(
        name: "Images",
        dependencies: ["Stores", "Machine", "Platform", "Cryptography", "Reporting", "CZstd", "CArchive"],
        swiftSettings: swiftSettings),
    .target(
        name: "Boot", dependencies: ["Machine", "Platform", "Cryptography", "Reporting"], swiftSettings: small),
    .target(
        name: "Disks", dependencies: ["Boot", "Images", "Machine", "Platform", "Cryptography", "Reporting", "CLinux"],
        swiftSettings: small),
    .target(
        name: "RestorePoints",
        dependencies: ["Boot", "Images", "Stores", "AuditLog", "Machine", "Platform", "Cryptography", "Reporting"],
        swiftSettings: small),
    .target(
        name: "WriteFilter", dependencies: ["RestorePoints", "Boot", "Machine", "Platform", "Reporting"],
        swiftSettings: small),
    .target(
        name: "Sanitization", dependencies: ["AuditLog", "Machine", "Platform", "Cryptography", "Reporting", "CLinux"],
        swiftSettings: small),
    .target(
        name: "Stewardship",
        dependencies: [
            "Sanitization", "WriteFilter", "RestorePoints", "Disks", "Boot", "Images", "Stores", "AuditLog", "Machine",
            "Platform", "Cryptography", "Reporting", "CQRCode",
        ],
        swiftSettings: small),
    .target(
        name: "HoldfastCommands",
        dependencies: [
            "Stewardship", "Sanitization", "Disks", "WriteFilter", "RestorePoints", "Boot", "Images", "Stores",
            "AuditLog",
            "Machine",
            "Platform", "Cryptography", "CLinux", "CTOML", "Reporting",
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ], swiftSettings: small),
    .executableTarget(name: "holdfast", dependencies: ["HoldfastCommands"], swiftSettings: swiftSettings),

    .target(name: "CTestSupport", path: "Tests/CTestSupport", cSettings: [.define("_GNU_SOURCE")]),
    .target(
        name: "TestSupport", dependencies: ["Stores", "Platform", "CTestSupport"], path: "Tests/TestSupport",
        swiftSettings: swiftSettings),
    .testTarget(name: "PlatformTests", dependencies: ["TestSupport", "Platform"], swiftSettings: swiftSettings),
    .testTarget(
        name: "MachineTests", dependencies: ["TestSupport", "Machine", "Platform", "Reporting"],
        swiftSettings: swiftSettings),
    .testTarget(name: "CryptographyTests", dependencies: ["Cryptography", "Platform"], swiftSettings: swiftSettings),
    .testTarget(
        name: "AuditLogTests", dependencies: ["TestSupport", "AuditLog", "Platform", "Cryptography"],
        swiftSettings: swiftSettings),
    .testTarget(
        name: "StoresTests", dependencies: ["TestSupport", "Stores", "Platform", "Cryptography", "Reporting"],
        exclude: ["slow-folder.py", "sftp-faults.py"], swiftSettings: swiftSettings),
    .testTarget(
        name: "ImagesTests",
        dependencies: ["TestSupport", "Images", "Stores", "Machine", "Platform", "Cryptography", "Reporting"],
        swiftSettings: swiftSettings),
    .testTarget(
        name: "DisksTests", dependencies: ["TestSupport", "Disks", "Images", "Machine", "Platform", "Reporting"],
        swiftSettings: swiftSettings),
    .testTarget(
        name: "RestorePointsTests",
        dependencies: [
            "TestSupport", "holdfast", "RestorePoints", "Images", "AuditLog", "Machine", "Platform", "Cryptography",
            "Reporting",
        ],
        swiftSettings: swiftSettings),
    .testTarget(
        name: "WriteFilterTests",
        dependencies: [
            "TestSupport", "holdfast", "WriteFilter", "RestorePoints", "Boot", "Images", "Machine", "Platform",
            "Cryptography",
            "Reporting",
        ],
        swiftSettings: swiftSettings),
    .testTarget(
        name: "SanitizationTests",
        dependencies: ["TestSupport", "holdfast", "Sanitization", "Machine", "Platform", "Cryptography", "Reporting"],
        swiftSettings: swiftSettings),
    .testTarget(
        name: "StewardshipTests",
        dependencies: [
            "TestSupport", "Stewardship", "Sanitization", "RestorePoints", "Boot", "Images", "Stores", "AuditLog",
            "Machine",
            "Platform", "Cryptography",
            "Reporting",
        ],
        swiftSettings: swiftSettings),
    .testTarget(
        name: "CommandTests",
        dependencies: [
            "TestSupport", "holdfast", "HoldfastCommands", "Stewardship", "RestorePoints", "Stores", "Platform",
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ], exclude: ["offsite-faults.sh", "type-at-menu.py", "type-in-shell.py"],
        swiftSettings: swiftSettings),
]

// The fuzzer brings its own `main`, so its target exists only where Tests/Fuzzing/run asks for it.
if Context.environment["HOLDFAST_FUZZING"] != nil {
    targets.append(
        .executableTarget(
            name: "Fuzzing", dependencies: ["Disks", "Images", "Stores", "Cryptography", "Platform", "Reporting"],
            path: "Tests/Fuzzing",
            exclude: ["disk-seeds", "run"],
            swiftSettings: swiftSettings + [.unsafeFlags(["-parse-as-library"])]))
}

let package = Package(
    name: "holdfast",
    platforms: [.macOS(.v15)],
    products: [.executable(name: "holdfast", targets: ["holdfast"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2")
    ],
    targets: targets,
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)
