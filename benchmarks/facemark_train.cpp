// Trains a model of OpenCV's Facemark, which Python cannot; prepare_facemark.py writes what it reads.
//
//     g++ -O2 -o facemark_train facemark_train.cpp -I/usr/include/opencv4 -lopencv_face \
//         -lopencv_imgcodecs -lopencv_core
//     ./facemark_train lbf faces.txt lbf.yaml
//     ./facemark_train kazemi faces.txt kazemi.dat
//     ./facemark_train aam faces.txt aam.yaml
//
// A line of faces.txt is one face: its picture, its box (x y width height) and its points (x y ...).
// All pictures are squares of one size. Needs OpenCV 4 with its contrib modules (Debian:
// libopencv-contrib-dev). All parameters are OpenCV's defaults, but that the trees of kazemi may take
// a smaller oversampling as a fourth argument.

#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include <opencv2/face.hpp>
#include <opencv2/imgcodecs.hpp>

using cv::face::FacemarkAAM;
using cv::face::FacemarkKazemi;
using cv::face::FacemarkLBF;
using cv::face::FacemarkTrain;

struct Faces {
    std::vector<cv::Mat> pictures;
    std::vector<cv::Rect> boxes;
    std::vector<std::vector<cv::Point2f>> points;
    size_t next = 0;  // the face that the trainer asks the detector for
};

static Faces read(const std::string &path) {
    Faces faces;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string picture;
        cv::Rect box;
        words >> picture >> box.x >> box.y >> box.width >> box.height;
        std::vector<cv::Point2f> points;
        for (cv::Point2f p; words >> p.x >> p.y;) points.push_back(p);
        faces.pictures.push_back(cv::imread(picture));
        CV_Assert(!faces.pictures.back().empty() && !points.empty());
        faces.boxes.push_back(box);
        faces.points.push_back(points);
    }
    CV_Assert(!faces.pictures.empty());
    return faces;
}

// The trainers ask for the box of one picture after the other, in their order.
static bool known_box(cv::InputArray, cv::OutputArray found, void *data) {
    Faces &faces = *static_cast<Faces *>(data);
    cv::Mat(std::vector<cv::Rect>{faces.boxes.at(faces.next++)}).copyTo(found);
    return true;
}

static void train(cv::Ptr<FacemarkTrain> model, Faces &faces) {
    model->setFaceDetector(known_box, &faces);
    for (size_t i = 0; i < faces.pictures.size(); i++)
        model->addTrainingSample(faces.pictures[i], faces.points[i]);
    model->training();
}

static void train_kazemi(Faces &faces, const std::string &path, int oversampling) {
    const FacemarkKazemi::Params params;
    const std::string config = path + ".xml";
    cv::FileStorage file(config, cv::FileStorage::WRITE);
    file << "cascade_depth" << int(params.cascade_depth);
    file << "tree_depth" << int(params.tree_depth);
    file << "num_trees_per_cascade_level" << int(params.num_trees_per_cascade_level);
    file << "learning_rate" << params.learning_rate;
    file << "oversampling_amount" << (oversampling ? oversampling : int(params.oversampling_amount));
    file << "num_test_coordinates" << int(params.num_test_coordinates);
    file << "lambda" << params.lambda;
    file << "num_test_splits" << int(params.num_test_splits);
    file.release();
    cv::setNumThreads(1);  // its threads add to the same sums without a lock
    const cv::Ptr<FacemarkKazemi> model = FacemarkKazemi::create();
    model->setFaceDetector(known_box, &faces);
    model->training(faces.pictures, faces.points, config, faces.pictures[0].size(), path);
}

int main(int argc, char **argv) {
    if (argc < 4) {
        std::cerr << "facemark_train lbf|kazemi|aam faces.txt model [oversampling]\n";
        return 2;
    }
    const std::string kind = argv[1], path = argv[3];
    Faces faces = read(argv[2]);
    if (kind == "lbf") {
        FacemarkLBF::Params params;
        params.n_landmarks = int(faces.points[0].size());
        params.cascade_face = "known";  // it must not be empty; known_box is asked
        params.model_filename = path;
        train(FacemarkLBF::create(params), faces);
    } else if (kind == "kazemi") {
        train_kazemi(faces, path, argc > 4 ? std::stoi(argv[4]) : 0);
    } else if (kind == "aam") {
        FacemarkAAM::Params params;
        params.model_filename = path;
        train(FacemarkAAM::create(params), faces);
    } else {
        std::cerr << "no kind " << kind << "; there are lbf, kazemi, aam\n";
        return 2;
    }
    return 0;
}
